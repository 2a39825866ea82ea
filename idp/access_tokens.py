"""Access tokens of our own as a resource server reads them (RFC 9068 §4): userinfo and the API.

A signature once verified is remembered, for it does not change; whether the token still counts is
asked every time: its time, its client, and for a person's token the grant and the session behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from idp import jws
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.services import services
from idp.sessions import Grant, Session

TYP = "at+jwt"
RULES = jws.Rules(algorithms=frozenset({"ES256"}), types=frozenset({TYP}))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A genuine token. `grant` and `session` are "" when a program acts for itself."""

    issuer: str
    audience: str
    subject: str  # the person's `sub` at this client, or the client itself
    client_id: str
    scope: frozenset[str]
    issued_at: int  # seconds since 1970, as on the wire
    expires_at: int
    id: str
    grant: str = ""
    session: str = ""
    acr: str = ""


def verify_access_token(token: str, audience: str) -> AccessToken:
    """A token of ours that counts now for this audience (RFC 9068 §4).

    UnauthorizedError("invalid_token") otherwise: forged, of another type, for another audience,
    expired, of a client that was disabled, or of a grant that has ended.
    """
    found = read_access_token(token, audience)
    if found.grant:
        live(found)
    return found


def read_access_token(token: str, audience: str) -> AccessToken:
    """The same without asking for the grant: for who calls `live` next."""
    parts = services()
    try:
        header = jws.read_header(token, RULES)  # 1. form, type, algorithm
        key = jws.find_key(parts.keys.jwks(), str(header.get("kid", "")))  # 2. one of our keys
        found = _genuine(token, jws.text_of(key))  # 3. signature and claims
    except jws.NotGenuine as error:
        raise _refused(str(error)) from error
    if found.issuer != parts.settings.issuer or found.audience != audience:  # 4. for whom
        raise _refused("another issuer or audience")
    if parts.now().timestamp() >= found.expires_at:  # 5. time
        raise _refused("expired", Reason.GRANT_EXPIRED)
    party = parts.relying_parties.get(found.client_id)
    if party is None or party.disabled:  # 6. the client may still act
        raise _refused("client gone", Reason.CLIENT_DISABLED)
    return found


def live(token: AccessToken) -> tuple[Grant, Session]:
    """The grant and the session of a person's token. UnauthorizedError when one has ended."""
    found = services().sessions.live_grant(token.grant) if token.grant else None
    if found is None or found[0].client_id != token.client_id:
        raise _refused("grant has ended", Reason.GRANT_ENDED)
    return found


@lru_cache(maxsize=4096)
def _genuine(token: str, jwk_text: str) -> AccessToken:
    """Signature and claims; remembered for good tokens only."""
    key = jws.public_key(jwk_text)
    return _typed(jws.open_with(token, "ES256", key))


def _typed(claims: Mapping[str, Any]) -> AccessToken:
    """The claims with their types (RFC 9068 §2.2). NotGenuine when one is missing or of another type."""
    expires_at, issued_at = jws.seconds(claims, "exp"), jws.seconds(claims, "iat")
    if expires_at is None or issued_at is None:
        raise jws.NotGenuine("no time")
    return AccessToken(
        issuer=_text(claims, "iss"),
        audience=_text(claims, "aud"),
        subject=_text(claims, "sub"),
        client_id=_text(claims, "client_id"),
        scope=frozenset(_text(claims, "scope").split()),
        issued_at=issued_at,
        expires_at=expires_at,
        id=_text(claims, "jti"),
        grant=_text(claims, "gid", ""),
        session=_text(claims, "sid", ""),
        acr=_text(claims, "acr", ""),
    )


def _text(claims: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = claims.get(name, default)
    if not isinstance(value, str):
        raise jws.NotGenuine(f"{name} is not a text")
    return value


def _refused(detail: str, reason: Reason = Reason.TOKEN_INVALID) -> UnauthorizedError:
    error = UnauthorizedError("invalid_token", "the access token does not count", reason=reason)
    error.scheme = "Bearer"
    error.args = (detail,)
    return error
