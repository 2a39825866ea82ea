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
from dataclasses import dataclass
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
_SUCCESS, _PROTOCOL_ERROR, _SIZE_LIMIT, _NO_SUCH_OBJECT = 0, 2, 4, 32
# What ldap3's decoder lets through when a server sends octets that are no LDAP.
_DECODING = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
BROKEN = (LDAPExceptionError, OSError, *_DECODING)


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
        """See `Session.search`. LinkBroken when the connection is, OutsideError when it was refused."""
        try:
            self._wire.allow(deadline, limit)
            self._connection.search(
                base,
                text(wanted),
                _SCOPES[scope],
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=list(attributes),
                size_limit=limit,
                time_limit=math.ceil(deadline.left()),
                auto_escape=False,
            )
            found, result = self._connection.response, self._connection.result
            entries = tuple(_entry(one) for one in found if one["type"] == "searchResEntry")
            code = int(result["result"]) if result["type"] == "searchResDone" else _PROTOCOL_ERROR
        except BROKEN as error:
            raise LinkBroken(self._source, f"search: {type(error).__name__}: {error}") from error
        return self._judge(code, entries, scope, limit)

    def _judge(self, code: int, entries: tuple[Entry, ...], scope: Scope, limit: int) -> Answer:
        """What a result code means (RFC 4511 appendix A). A referral is not followed (A-215)."""
        if code == _SUCCESS and len(entries) <= limit:
            return Answer(entries)
        if code in {_SIZE_LIMIT, _SUCCESS}:
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
