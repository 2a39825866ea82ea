"""Addresses that may be registered: what a URI of a relying party has to look like.

Strict here lets everything after it be simple: routes compare strings, and callers know that two
readers read the same host (RFC 9700 §2.1, RFC 6749 §3.1.2, RFC 8252 §7; A-001 to A-005, A-238).
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from urllib.parse import SplitResult, parse_qsl, urlsplit

from idp.conf import LOOPBACK_HOSTS

# A value that we add to the address must not be there already, or two readers may differ.
RESPONSE_PARAMETERS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state"}
)
_ADDRESS = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_APP_SCHEME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+", re.ASCII)
_FORBIDDEN = set('*\\"<>{}|^`')


def address_fault(address: str, *, loopback: bool) -> str:
    """Why this address may not be registered; "" when it may. `loopback` is for the demo."""
    parts = _split(address)
    if isinstance(parts, str):
        return parts
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        *_plain(address, parts),
        ("a host without user information", lambda: "@" not in parts.netloc),
        ("a host in lower-case ASCII", lambda: _has_good_host(parts)),
        ("a port from 1 to 65535", lambda: parts.port != 0 and not parts.netloc.endswith(":")),
        (
            "https, or http on a loopback host in a demo",
            lambda: parts.scheme == "https" or (loopback and is_loopback_http(parts)),
        ),
    )
    return next((allowed for allowed, holds in checks if not holds()), "")


def app_address_fault(address: str, *, loopback: bool) -> str:
    """The same for the redirect URI of an installed application (RFC 8252 §7).

    Claimed https, http on a loopback address without a port, since it varies, or a scheme of the
    application's own: a reversed domain name, for a scheme without a dot is anybody's.
    """
    parts = _split(address)
    if isinstance(parts, str):
        return parts
    if parts.scheme in ("https", "http"):
        own = is_loopback_http(parts) and parts.hostname != "localhost"
        if own and parts.port is not None:
            return "a loopback address without a port: any port is let in (RFC 8252 section 7.3)"
        return address_fault(address, loopback=loopback or own)
    scheme, _, rest = address.partition(":")
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        (
            "https, http on 127.0.0.1 or [::1], or a reversed domain name as scheme",
            lambda: bool(_APP_SCHEME.fullmatch(scheme)),
        ),
        ("one slash after the scheme", lambda: rest[:1] == "/" and rest[1:2] != "/"),
        *_plain(address, parts),
    )
    return next((allowed for allowed, holds in checks if not holds()), "")


def origin_fault(origin: str, *, loopback: bool) -> str:
    """Why this is no origin of a browser application (RFC 6454 §6.2); "" when it is one."""
    fault = address_fault(origin, loopback=loopback)
    if fault:
        return fault
    parts = urlsplit(origin)
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    if origin != f"{parts.scheme}://{parts.netloc}" or parts.netloc.endswith(default):
        return "scheme, host and perhaps port only, as browsers send it"
    return ""


def fetched_fault(address: str, *, loopback: bool) -> str:
    """Why we would not fetch from this address: its form and its port (A-238)."""
    fault = address_fault(address, loopback=loopback)
    if fault:
        return fault
    port = urlsplit(address).port
    if port is not None and port < 1024 and port != 443:
        return "port 443, or one from 1024 up"
    return ""


def host_of(address: str) -> str:
    """The host of an address; "" when it has none (its fault is told elsewhere)."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def sector_hosts(redirect_uris: Iterable[str]) -> set[str]:
    """The hosts that tell a sector (OIDC Core §8.1); what every installed program has tells none."""
    return {host_of(uri) for uri in redirect_uris} - {"", "127.0.0.1", "::1"}


def is_host(text: str) -> bool:
    """A host name in lower case or a dotted IPv4 address, in the one spelling that all readers share."""
    if not _HOST.fullmatch(text) or ".." in text:
        return False
    if not _NUMBER.fullmatch(text.rpartition(".")[2]):
        return True
    try:  # a last label that is a number makes the whole an IPv4 address to some readers
        return str(IPv4Address(text)) == text
    except ValueError:
        return False


def is_loopback_http(parts: SplitResult) -> bool:
    """Plain http to this very machine (RFC 8252 §7.3)."""
    return parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS


def _split(address: str) -> SplitResult | str:
    """The parts, or why there are none."""
    if not _ADDRESS.fullmatch(address):
        return "printable ASCII, at most 512 characters"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "a valid address"
    return parts


def _plain(address: str, parts: SplitResult) -> tuple[tuple[str, Callable[[], bool]], ...]:
    return (
        ("without '*', '\\', quotes or '<>'", lambda: not _FORBIDDEN & set(address)),
        ("without a fragment", lambda: "#" not in address),
        ("without '.' or '..' in the path", lambda: not _has_dots(parts.path)),
        ("without the parameters of the answer", lambda: not _has_answer(parts.query)),
    )


def _has_good_host(parts: SplitResult) -> bool:
    if not parts.hostname or parts.netloc != parts.netloc.lower():
        return False
    return is_host(parts.hostname) or f"[{parts.hostname}]" in LOOPBACK_HOSTS


def _has_dots(path: str) -> bool:
    plain = re.sub("%2e", ".", path, flags=re.IGNORECASE)
    plain = re.sub("%2f|%5c", "/", plain, flags=re.IGNORECASE)
    return any(part.split(";")[0] in (".", "..") for part in plain.split("/"))


def _has_answer(query: str) -> bool:
    return any(name in RESPONSE_PARAMETERS for name, _ in parse_qsl(query, keep_blank_values=True))
