"""Settings that are allowed and yet unlikely to be meant."""

from collections.abc import Iterator
from datetime import datetime

from idp.conf import Settings
from idp.doctor.finding import Finding, note, ok, warn

_WHAT = "configuration"


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:  # noqa: ARG001 - one signature for all
    """What stands in the file, beyond mistakes."""
    yield ok(_WHAT, f"no mistakes; issuer {settings.issuer}")
    if settings.environment == "demo":
        yield note(_WHAT, 'environment = "demo": for trying out, not for real people')
    if not settings.directories:
        yield warn(_WHAT, "no [directories.*]: nobody can sign in", "name a source of people")
    if not settings.methods:
        yield warn(_WHAT, "no [methods.*]: nobody can sign in", "switch on [methods.mobile_id]")
    yield from _proxy(settings)
    yield from _roles(settings)


def _proxy(settings: Settings) -> Iterator[Finding]:
    """Where TLS is spoken for us, a proxy stands in front."""
    server = settings.server
    behind = settings.issuer.startswith("https://") and server.tls_certificate_file is None
    if behind and not server.trusted_proxies and server.unix_socket is None:
        yield warn(
            _WHAT,
            "https without a certificate of our own and no trusted_proxies: every event will show the "
            "proxy's address as the person's",
            "[server] trusted_proxies = the addresses of the proxy that speaks TLS",
        )


def _roles(settings: Settings) -> Iterator[Finding]:
    empty = [
        name for name in type(settings.roles).model_fields if not getattr(settings.roles, name)
    ]
    if empty and settings.environment == "production":
        yield note(_WHAT, f"[roles] without a group: {', '.join(empty)}")
