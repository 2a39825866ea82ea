"""What is wrong with a registered relying party, or will be at its first sign-in (`gongmu rp test`).

Nothing is sent to it: its keys are fetched, its back channel is connected to and left again. Its
redirect URIs are its people's business, whose browsers reach more than this machine.
"""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from idp.assurance import strength
from idp.errors import ConfError, OutsideError
from idp.jws import NotGenuine
from idp.key_sets import ACCEPT, read_jwks
from idp.outbound import PRIVATE, Deadline, NotAllowed, Reach
from idp.registration import DEVICE_CODE, TOKEN_EXCHANGE
from idp.relying_parties import RelyingParty
from idp.services import Services

PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def inspect(parts: Services, party: RelyingParty) -> list[Finding]:
    """Every finding, good ones too. OutsideError when a store is away."""
    looks: tuple[Callable[[Services, RelyingParty], Iterator[Finding]], ...] = (
        _settings,
        _state,
        _strength,
        _secrets,
        _keys,
        _back_channel,
        _grants,
        _certificates,
    )
    return [finding for look in looks for finding in look(parts, party)]


def _settings(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    """Rules may have changed since it was registered; a sector's document may have as well."""
    try:
        parts.relying_parties.check(party)
    except ConfError as error:
        for one in error.problems:
            yield Finding("settings", ok=False, detail=f"{one.key}: {one.found}; {one.allowed}")
        return
    yield Finding("settings", ok=True, detail="no contradiction")


def _state(_parts: Services, party: RelyingParty) -> Iterator[Finding]:
    told = "disabled; gongmu rp enable lets it in" if party.disabled else "enabled"
    yield Finding("state", ok=not party.disabled, detail=told)


def _strength(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    rules = parts.settings.acr_rules
    reached = max(
        (strength(rule.acr) for rule in rules if rule.method in parts.methods), default=-1
    )
    ok = reached >= strength(party.minimum_acr)
    told = "can be reached" if ok else "is reached by no enabled way to sign in (acr_rules)"
    yield Finding("minimum_acr", ok=ok, detail=f"{party.minimum_acr} {told}")


def _secrets(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    if not any(name.startswith("client_secret_") for name in party.token_endpoint_auth_methods):
        return
    now = parts.now()
    kept = parts.relying_parties.secrets.of(party.client_id)
    live = [one for one in kept if one.expires_at is None or one.expires_at > now]
    ends = [one.expires_at for one in live if one.expires_at is not None]
    until = f", until {max(ends):%Y-%m-%d}" if live and len(ends) == len(live) else ""
    told = f"{len(live)} of {len(kept)} count{until}" if kept else "none; gongmu rp secret add"
    yield Finding("client secret", ok=bool(live), detail=told)


def _keys(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    if party.jwks:
        yield Finding("keys", ok=True, detail=f"{len(party.jwks['keys'])} registered")
    if not party.jwks_uri:
        return
    try:
        found = read_jwks(parts.kit.fetch(party.jwks_uri, ACCEPT))
    except OutsideError as error:
        told = f"{party.jwks_uri} does not answer as it should ({error.detail})"
        yield Finding("jwks_uri", ok=False, detail=told)
    except NotGenuine as error:
        yield Finding("jwks_uri", ok=False, detail=f"{party.jwks_uri}: {error}")
    else:
        yield Finding("jwks_uri", ok=True, detail=f"{len(found['keys'])} keys")


def _back_channel(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    uri = party.backchannel_logout_uri
    if not uri:
        return
    reach = Reach(loopback=parts.settings.environment == "demo", networks=PRIVATE)
    try:
        reach.connect(urlsplit(uri), Deadline(PATIENCE_S)).close()
    except NotAllowed:
        told = "leads to an address that is never called"
    except TimeoutError:
        told = "does not answer in 3 s"
    except ssl.SSLError as error:
        told = f"has no certificate that this machine trusts ({error.reason or 'TLS'})"
    except OSError as error:
        told = f"is not reached ({error.strerror or type(error).__name__})"
    else:
        yield Finding("backchannel_logout_uri", ok=True, detail="reached")
        return
    yield Finding("backchannel_logout_uri", ok=False, detail=f"{uri} {told}")


def _grants(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    grants = parts.settings.grants
    for name, setting, on in (
        (TOKEN_EXCHANGE, "token_exchange", grants.token_exchange),
        (DEVICE_CODE, "device", grants.device),
    ):
        if name in party.grant_types and not on:
            told = f"{name} is off: grants.{setting} in the configuration"
            yield Finding("grant_types", ok=False, detail=told)


def _certificates(parts: Services, party: RelyingParty) -> Iterator[Finding]:
    by_certificate = party.tls_client_certificate_bound_access_tokens or any(
        "tls_client_auth" in name for name in party.token_endpoint_auth_methods
    )
    if by_certificate and not parts.settings.server.client_certificate_header:
        told = "no proxy passes them on: server.client_certificate_header"
        yield Finding("client certificates", ok=False, detail=told)
