"""Tokens that go out: access tokens (RFC 9068 §2) and ID tokens (OIDC Core §2)."""

from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.util import create_half_hash

from idp import randomness
from idp.access_tokens import TYP
from idp.contracts import Official, Use
from idp.oidc import user_claims
from idp.oidc.hints import ID_TOKEN_TYP
from idp.oidc.subjects import sub_of
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session


@dataclass(frozen=True, slots=True)
class Sitting:
    """What a person's tokens tell of: a grant, within a session, at a relying party."""

    party: RelyingParty
    session: Session
    official: Official
    grant: str
    scope: tuple[str, ...]
    binding: str = ""  # the access token's key: "jkt:<thumbprint>", "x5t:<thumbprint>" or none


def access_token(sitting: Sitting) -> str:
    """A token for userinfo; `gid` lets every use ask whether the grant is alive."""
    session = sitting.session
    claims = {
        **_of_client(sitting.party, sitting.scope),
        "aud": services().settings.issuer,
        "sub": sub_of(sitting.party, session.subject),
        "sid": session.id,
        "gid": sitting.grant,
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": session.acr,
        "amr": list(session.amr),
    }
    return services().keys.sign(claims, TYP, Use.OIDC)


def client_token(party: RelyingParty, scope: tuple[str, ...]) -> str:
    """A token for a program that acts for itself, at its one audience (RFC 6749 §4.4)."""
    claims = {**_of_client(party, scope), "aud": party.audience, "sub": party.client_id}
    return services().keys.sign(claims, TYP, Use.OIDC)


def _of_client(party: RelyingParty, scope: tuple[str, ...]) -> dict[str, Any]:
    settings = services().settings
    now = int(services().now().timestamp())
    return {
        "iss": settings.issuer,
        "iat": now,
        "exp": now + settings.lifetimes.access_token_s,
        "jti": randomness.token(16),
        "client_id": party.client_id,
        "scope": " ".join(scope),
    }


def id_token(sitting: Sitting, nonce: str | None, access: str) -> str:
    """Who signed in, when and how strongly (OIDC Core §2, §3.1.3.6)."""
    settings = services().settings
    now = int(services().now().timestamp())
    session, party = sitting.session, sitting.party
    algorithm = party.id_token_signed_response_alg
    extra = (
        user_claims.of(sitting.official, party, frozenset(sitting.scope))
        if party.claims_in_id_token
        else {}
    )
    claims = {
        **extra,  # first: nothing in it can replace what follows
        "iss": settings.issuer,
        "sub": sub_of(party, session.subject),
        "aud": party.client_id,
        "azp": party.client_id,
        "iat": now,
        "exp": now + settings.lifetimes.id_token_s,
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": session.acr,
        "amr": list(session.amr),
        "sid": session.id,
        "at_hash": create_half_hash(access, algorithm).decode(),
        **({} if nonce is None else {"nonce": nonce}),
    }
    return services().keys.sign(claims, ID_TOKEN_TYP, Use.OIDC, algorithm)
