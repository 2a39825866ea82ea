"""Access tokens of our own as a resource server reads them (RFC 9068 §4): userinfo and the API.

A signature once verified is remembered, for it does not change; whether the token still counts is
asked every time: its time, its client, and for a person's token the grant and the session behind it.
An opaque token is a random name for the same claims in the short-lived store: where that has lost them
the token is refused, and whatever ends a token ends it as well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from idp import jws, randomness
from idp.contracts import JsonObject
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.login import digest
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
    binding: str = (
        ""  # "jkt:<thumbprint>" or "x5t:<thumbprint>": whose key it needs, "" for a bearer's
    )
    act: JsonObject | None = None  # who acts for the person, by token exchange (RFC 8693 §4.1)


def keep(claims: JsonObject) -> str:
    """An opaque token for these claims, which live in the short-lived store as long as it does."""
    token = randomness.token(32)
    text = json.dumps(dict(claims), separators=(",", ":"))
    services().short.put(f"access:{digest(token)}", text, claims["exp"] - claims["iat"])
    return token


def forget(token: str) -> bool:
    """Take an opaque token back; false for one that is signed, which nobody can take back."""
    if "." in token:
        return False
    services().short.delete(f"access:{digest(token)}")
    return True


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
    found = genuine(token)
    if found.audience != audience:
        raise _refused("another audience")
    return counting(found)


def genuine(token: str) -> AccessToken:
    """A token that we made, for whatever audience, whether or not it still counts."""
    try:
        found = _signed(token) if "." in token else _kept(token)
    except jws.NotGenuine as error:
        raise _refused(str(error)) from error
    if found.issuer != services().settings.issuer:
        raise _refused("another issuer")
    return found


def counting(token: AccessToken) -> AccessToken:
    """The same token, when its time and its client are not over. For a person's, `live` comes next."""
    parts = services()
    if parts.now().timestamp() >= token.expires_at:  # 1. time
        raise _refused("expired", Reason.GRANT_EXPIRED)
    party = parts.relying_parties.get(token.client_id)
    if party is None or party.disabled:  # 2. the client may still act
        raise _refused("client gone", Reason.CLIENT_DISABLED)
    return token


def live(token: AccessToken) -> tuple[Grant, Session]:
    """The grant and the session of a person's token. UnauthorizedError when one has ended.

    A token that was exchanged is another client's than the grant it rests on, and dies with both.
    """
    found = services().sessions.live_grant(token.grant) if token.grant else None
    if found is None:
        raise _refused("grant has ended", Reason.GRANT_ENDED)
    owner = found[0].client_id
    if owner != token.client_id:
        party = services().relying_parties.get(owner)
        if token.act is None or party is None or party.disabled:
            raise _refused("grant of another client", Reason.GRANT_ENDED)
    return found


def _signed(token: str) -> AccessToken:
    """A JWT of ours (RFC 9068 §4), by a key that we still publish."""
    verified = _verified(token)
    jws.find_key(services().keys.jwks(), verified.kid)
    return verified.token


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token whose signature verified, and by which key: its kid is the key's own digest (RFC 7638)."""

    token: AccessToken
    kid: str


@lru_cache(maxsize=4096)
def _verified(token: str) -> _Verified:
    """Signature and claims; remembered for good tokens only."""
    header = jws.read_header(token, RULES)  # 1. form, type, algorithm
    kid = str(header.get("kid", ""))
    key = jws.public_key(jws.text_of(jws.find_key(services().keys.jwks(), kid)))  # 2. one of ours
    return _Verified(_typed(jws.open_with(token, "ES256", key)), kid)  # 3. signature and claims


def _kept(token: str) -> AccessToken:
    """An opaque token whose claims are still there."""
    text = services().short.get(f"access:{digest(token)}") if 40 <= len(token) <= 64 else None
    if text is None:
        raise jws.NotGenuine("unknown")
    return _typed(json.loads(text))


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
        binding=_binding(claims),
        act=_actor(claims),
    )


def _binding(claims: Mapping[str, Any]) -> str:
    """Whose key the token needs (RFC 7800 §3); a kind that we never write is not read as none."""
    match claims.get("cnf"):
        case None:
            return ""
        case {"jkt": str(thumbprint)}:
            return f"jkt:{thumbprint}"
        case {"x5t#S256": str(thumbprint)}:
            return f"x5t:{thumbprint}"
    raise jws.NotGenuine("cnf is not ours")


def _actor(claims: Mapping[str, Any]) -> JsonObject | None:
    act = claims.get("act")
    if act is not None and not isinstance(act, dict):
        raise jws.NotGenuine("act is not an object")
    return act


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
