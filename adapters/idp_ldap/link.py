"""One bound connection to a server. The only module that imports ldap3.

ldap3's defaults that are unsafe (G-07), and what is done here instead:

* TLS that verifies nothing         -> `_Tls`, which shakes hands on our `Wire` by our context
* referrals to any host, with the password -> `auto_referrals=False`, no allowed hosts; a referral is an error
* no time-outs, no limit of size or number -> `Wire`
* a bind without method is anonymous -> SIMPLE, and the settings refuse empty passwords
* answers re-read by a schema the server sends -> `get_info=NONE`, `check_names=False`, raw values
* dereferences aliases               -> never: an alias could stand for somebody else (A-220)
"""

import math
import ssl
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

from idp.errors import OutsideError
from idp_ldap.entry import Entry
from idp_ldap.filters import Filter, text
from idp_ldap.searching import Answer, Scope
from idp_ldap.wire import Address, Deadline, Wire, open_wire

with warnings.catch_warnings():
    # ldap3 2.9.1 asks pyasn1 for names that have newer ones; nothing here depends on which.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPExceptionError
    from ldap3.core.tls import Tls

_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}
_SUCCESS, _PROTOCOL_ERROR, _SIZE_LIMIT, _ADMIN_LIMIT, _NO_SUCH_OBJECT = 0, 2, 4, 11, 32
# What ldap3's decoder lets through when a server sends octets that are no LDAP.
_DECODING = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
BROKEN = (LDAPExceptionError, OSError, *_DECODING)


_PAGED = "1.2.840.113556.1.4.319"
PAGE = 100  # entries at a time


class LinkBroken(OutsideError):
    """The connection is of no further use: no answer, not in time, or none that can be read."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to the server. The password stays out of every text."""

    source: str
    bind_dn: str
    password: str

    def __repr__(self) -> str:
        return f"Account({self.source!r})"


class _Tls(Tls):  # type: ignore[misc]  # ldap3 has no types
    """ldap3's place for TLS settings; the handshake is ours."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._host = host

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - ldap3's signature
        connection.socket.start_tls(self._context, self._host)


@dataclass(frozen=True, slots=True)
class _Question:
    base: str
    wanted: Filter
    attributes: tuple[str, ...]
    scope: Scope
    limit: int


class Link:
    """A bound connection; one thread at a time."""

    def __init__(self, source: str, connection: Any, wire: Wire) -> None:
        self._source = source
        self._connection = connection
        self._wire = wire
        self.born = self.rested = time.monotonic()

    def search(
        self,
        base: str,
        wanted: Filter,
        attributes: tuple[str, ...],
        *,
        scope: Scope,
        limit: int,
        deadline: Deadline,
    ) -> Answer:
        """See `Session.search`. LinkBroken when the connection is, OutsideError when it was refused.

        What may be more than a page is asked for in pages (RFC 2696): a server gives no more than its
        size limit at a time, and what it cuts off would be missing without a word (A-221).
        """
        question = _Question(base, wanted, attributes, scope, limit)
        self._wire.allow(deadline)
        found, code, more = self._pages(question, deadline)
        if code == _ADMIN_LIMIT and not found and limit > PAGE:
            # It does not give pages of this size to us: then as much as it gives at once.
            found, code, more = self._ask(question, {}, limit, deadline)
        answer = self._judge(code, found, scope, limit)
        return replace(answer, complete=False) if more else answer

    def _pages(
        self, question: "_Question", deadline: Deadline
    ) -> tuple[tuple[Entry, ...], int, bytes]:
        """Entries, the last result code, and a cookie when there were more than the limit."""
        found: tuple[Entry, ...] = ()
        cookie = b""
        while True:
            left = question.limit - len(found)
            paged = {"paged_size": min(left, PAGE), "paged_cookie": cookie}
            entries, code, cookie = self._ask(
                question, paged if question.limit > PAGE else {}, left, deadline
            )
            found += entries
            if code != _SUCCESS or not cookie or len(found) >= question.limit:
                return found, code, cookie

    def _ask(
        self, question: "_Question", paged: dict[str, Any], left: int, deadline: Deadline
    ) -> tuple[tuple[Entry, ...], int, bytes]:
        """One exchange: entries, the result code, and the cookie that asks for more."""
        try:
            self._wire.expect(left)
            self._connection.search(
                question.base,
                text(question.wanted),
                _SCOPES[question.scope],
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=list(question.attributes),
                size_limit=question.limit,
                time_limit=math.ceil(deadline.left()),
                auto_escape=False,
                **paged,
            )
            found, result = self._connection.response, self._connection.result
            entries = tuple(_entry(one) for one in found if one["type"] == "searchResEntry")
            code = int(result["result"]) if result["type"] == "searchResDone" else _PROTOCOL_ERROR
            cookie = _cookie(result)
        except BROKEN as error:
            raise LinkBroken(self._source, f"search: {type(error).__name__}: {error}") from error
        return entries, code, cookie

    def _judge(self, code: int, entries: tuple[Entry, ...], scope: Scope, limit: int) -> Answer:
        """What a result code means (RFC 4511 appendix A). A referral is not followed (A-215)."""
        if code == _SUCCESS and len(entries) <= limit:
            return Answer(entries)
        cut = code == _ADMIN_LIMIT and entries and limit > PAGE  # no more pages for us
        if cut or code in {_SIZE_LIMIT, _SUCCESS}:
            return Answer(entries[:limit], complete=False)
        if code == _NO_SUCH_OBJECT and scope == "base":
            return Answer(())
        raise OutsideError(self._source, f"search refused with result code {code}")

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate (DER); None without TLS."""
        return self._wire.certificate

    def close(self) -> None:
        """Close at once; the server is not waited for."""
        self._connection.strategy.close()


def _cookie(result: dict[str, Any]) -> bytes:
    """What asks for the next page; empty at the end, and from a server that gives no pages."""
    control = (result.get("controls") or {}).get(_PAGED)
    return bytes(control["value"]["cookie"]) if control else b""


def _entry(found: dict[str, Any]) -> Entry:
    attributes = {name.lower(): tuple(values) for name, values in found["raw_attributes"].items()}
    return Entry(found["raw_dn"].decode(), attributes)


def open_link(
    address: Address, account: Account, context: ssl.SSLContext, deadline: Deadline
) -> Link:
    """Connect, TLS, bind, in this order. LinkBroken; no bind is sent unless TLS stands (A-216)."""
    try:
        wire = open_wire(address, deadline)
        try:
            if address.protection == "tls":
                wire.start_tls(context, address.host)
            connection = _adopt(wire, address, account, context)
            if address.protection == "start_tls":
                connection.start_tls(read_server_info=False)
            _bind(connection, account)
        except BaseException:
            wire.close()
            raise
    except BROKEN as error:
        raise LinkBroken(account.source, f"connecting: {type(error).__name__}: {error}") from error
    return Link(account.source, connection, wire)


def _adopt(wire: Wire, address: Address, account: Account, context: ssl.SSLContext) -> Any:
    """An ldap3 connection on our socket, as its strategy's `open` would leave it."""
    server = ldap3.Server(
        address.host,
        port=address.port,
        use_ssl=address.protection == "tls",
        tls=_Tls(context, address.host),
        get_info=ldap3.NONE,
        allowed_referral_hosts=[],
    )
    connection = ldap3.Connection(
        server,
        user=account.bind_dn,
        password=account.password,
        authentication=ldap3.SIMPLE,
        auto_bind=ldap3.AUTO_BIND_NONE,
        client_strategy=ldap3.SYNC,  # one thread at a time by the pool; SAFE_SYNC only copies more
        auto_referrals=False,
        auto_range=False,
        check_names=False,
        read_only=True,
        return_empty_attributes=False,
    )
    connection.socket = wire
    connection.closed = False
    connection.strategy._outstanding = {}  # noqa: SLF001 - what open() sets, which cannot take a socket
    connection.strategy._start_listen()  # noqa: SLF001
    connection.strategy.socket_size = 65536
    decode = connection.strategy.decode_response_fast

    def decode_in_time(found: Any) -> Any:
        wire.count_message()
        return decode(found)

    connection.strategy.decode_response_fast = decode_in_time
    return connection


def _bind(connection: Any, account: Account) -> None:
    """A simple bind with name and password, or LinkBroken. Never another way, never as nobody (A-214)."""
    connection.bind(read_server_info=False)
    result = connection.result or {}
    if not connection.bound or result.get("type") != "bindResponse":
        description = result.get("description", "no result")
        raise LinkBroken(account.source, f"bind refused: {description}")
