"""Certificates: those in files that the configuration names, and the one people's browsers see."""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import BaseModel

from idp.conf import Settings
from idp.doctor.finding import Finding, Level, fix, note, ok

WHAT = "certificates"
WARN_DAYS = (30, 14, 7)
FIX_DAYS = 1
_REACH_S = 3.0
_MAX_PEM = 1024 * 1024


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Every certificate that this installation rests on and that others made."""
    for path in _files(settings):
        for certificate in _in_file(path):
            yield expiry(WHAT, f"{_name(certificate)} in {path}", certificate, now)
    server = settings.server
    if server.tls_certificate_file is not None:
        yield from _own(settings, server.tls_certificate_file, server.tls_key_file)
    elif settings.issuer.startswith("https://"):
        yield from _seen_outside(settings.issuer, now)


def expiry(what: str, name: str, certificate: x509.Certificate, now: datetime) -> Finding:
    """How long it is still good."""
    left = certificate.not_valid_after_utc - now
    ends = certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M UTC")
    remedy = "renew it, install it, and restart or reload what shows it"
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.strftime("%Y-%m-%d %H:%M UTC")
        return fix(what, f"{name} is not valid before {begins}", "check the clock, or wait")
    if left <= timedelta(0):
        return fix(what, f"{name} ended {ends}", remedy)
    if left <= timedelta(days=FIX_DAYS):
        return fix(what, f"{name} ends within a day: {ends}", remedy)
    passed = [days for days in WARN_DAYS if left <= timedelta(days=days)]
    if passed:
        found = f"{name} ends within {min(passed)} days: {ends}"
        return Finding(Level.WARN, what, found, remedy)
    return ok(what, f"{name} is good until {ends}")


def _files(table: BaseModel) -> Iterator[Path]:
    """The files that any table names and that hold certificates, each once."""
    seen = set()
    for path in _paths(table):
        if path not in seen and _holds_certificates(path):
            seen.add(path)
            yield path


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item)


def _holds_certificates(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_PEM:
            return False
        return b"-----BEGIN CERTIFICATE-----" in path.read_bytes()
    except OSError:
        return False


def _in_file(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return []  # who reads the file says so at the start


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"serial {certificate.serial_number:x}"


def _own(settings: Settings, file: Path, key_file: Path | None) -> Iterator[Finding]:
    """The one we show ourselves: it belongs to its key and to the issuer's host."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(file, key_file)
    except (OSError, ssl.SSLError) as error:
        remedy = "tls_certificate_file (leaf first) and tls_key_file of one pair"
        yield fix(WHAT, f"{file} cannot be used with its key: {error}", remedy)
        return
    host = urlsplit(settings.issuer).hostname or ""
    leaf = _in_file(file)[0]
    if not _hosts(leaf) & {host, f"*.{host.partition('.')[2]}"}:
        remedy = f"a certificate for {host}"
        yield fix(WHAT, f"{file} is not for the issuer's host {host}", remedy)


def _hosts(leaf: x509.Certificate) -> set[str]:
    """The names and addresses it is for."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return addresses | set(names.get_values_for_type(x509.DNSName))


def _seen_outside(issuer: str, now: datetime) -> Iterator[Finding]:
    """What the proxy in front shows, as a browser would judge it."""
    parts = urlsplit(issuer)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), _REACH_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            der = wrapped.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError as error:
        remedy = "a whole chain for that name, from an authority that browsers know"
        yield fix(WHAT, f"{host}:{port} shows one that fails: {error.verify_message}", remedy)
        return
    except OSError as error:
        yield note(WHAT, f"{host}:{port} cannot be reached from here ({error}): not examined")
        return
    yield expiry(WHAT, f"the one of {host}:{port}", x509.load_der_x509_certificate(der), now)
