"""The sources of people: reached over TLS, let in, and sure of their own numbers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NoReturn, Protocol, runtime_checkable

from cryptography import x509
from pydantic import BaseModel

from idp import randomness
from idp.conf import Settings
from idp.contracts import Directory, Kit
from idp.doctor import certificates
from idp.doctor.finding import Finding, fix, ok, warn
from idp.errors import GongmuError, OutsideError

PATTERN = "personnel_number_pattern"
MAX_AGE_S = 60


class _Server(Protocol):
    address: str
    certificate: bytes | None
    fault: str


@runtime_checkable
class ManyServers(Protocol):
    """A directory that can ask each server behind it by itself."""

    def servers(self) -> Sequence[_Server]: ...


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Each source, then all of them together."""
    kit = _kit(settings, now)
    for name, table in settings.directories.items():
        yield from _source(f"directory {name}", table.open(kit), now)
        yield from _age(f"directory {name}", settings, getattr(table, "nested_groups_age_s", 0))
    if len(settings.directories) > 1:
        yield from _patterns(settings.directories)


def _source(what: str, directory: Directory, now: datetime) -> Iterator[Finding]:
    found: object = directory
    for server in found.servers() if isinstance(found, ManyServers) else ():
        yield from _server(what, server, now)
    try:
        directory.check()
        someone = directory.search("", 1)
    except OutsideError as error:
        yield fix(
            what, error.detail, "see that it runs, lets the service account in and read base_dn"
        )
        return
    if not someone:
        remedy = "base_dn, person_class and number_attribute; and that the account may read them"
        yield fix(what, "answers, but shows nobody", remedy)
    else:
        yield ok(what, "answers and shows people")


def _server(what: str, server: _Server, now: datetime) -> Iterator[Finding]:
    if server.fault:
        remedy = "its TLS certificate against ca_file, then bind_dn and its password"
        yield fix(what, f"{server.address}: {server.fault}", remedy)
    elif server.certificate is None:
        remedy = "ldaps://, or ldap:// with StartTLS"
        yield warn(what, f"{server.address} is asked without TLS", remedy)
    else:
        certificate = x509.load_der_x509_certificate(server.certificate)
        yield certificates.expiry(what, f"the certificate of {server.address}", certificate, now)


def _age(what: str, settings: Settings, nested_s: int) -> Iterator[Finding]:
    """A change must reach every session within a minute (A-218)."""
    together = settings.lifetimes.directory_state_s + nested_s
    if together > MAX_AGE_S:
        found = f"directory_state_s and nested_groups_age_s together are {together} s"
        yield warn(
            what, f"{found}: a change of groups may take longer than a minute", "shorten one"
        )


def _patterns(tables: dict[str, Any]) -> Iterator[Finding]:
    """Without a pattern each source is asked for every number, and one that is away stops all."""
    open_to_all = [
        name
        for name, table in tables.items()
        if isinstance(table, BaseModel)
        and PATTERN in type(table).model_fields
        and PATTERN not in table.model_fields_set
    ]
    if open_to_all:
        found = f"without {PATTERN}: {', '.join(open_to_all)}; if one is away, nobody signs in"
        remedy = f"[directories.<name>] {PATTERN}, e.g. 'E\\d{{7}}', for each source"
        yield warn("directories", found, remedy)


def _kit(settings: Settings, now: datetime) -> Kit:
    """What a directory needs: the time."""
    return Kit(
        base_url=settings.issuer,
        now=lambda: now,
        token=randomness.token,
        sign=_no,
        certificates=_no,
        trust_anchors=_no,
        fetch=_no,
        own_status=_no,
    )


def _no(*_: object) -> NoReturn:
    raise GongmuError("a directory signs and fetches nothing")
