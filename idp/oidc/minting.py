"""Tokens that go out: access tokens (RFC 9068 §2) and ID tokens (OIDC Core §2).

An ID token has `at_hash`, for an access token comes with it, and neither `c_hash` nor `s_hash`: they bind
what an authorization response carries beside an ID token, and none of ours carries one (R-005).
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import access_tokens, randomness
from idp.contracts import JsonObject, Official, Use
from idp.oidc import sealed_answers, user_claims
from idp.oidc.subjects import sub_of
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

ID_TOKEN_TYP = "JWT"  # noqa: S105 - a type of token
# OIDC Core §3.1.3.6: the hash of the signature's algorithm, SHA-512 for Ed25519 (RFC 8032 §5.1).
_HASHES = {"EdDSA": hashlib.sha512, "Ed25519": hashlib.sha512}
_CONFIRMATIONS = {"jkt": "jkt", "x5t": "x5t#S256"}  # RFC 9449 §6.1, RFC 8705 §3.1


@dataclass(frozen=True, slots=True)
class Sitting:
    """What a person's tokens tell of: a grant, within a session, at a relying party."""

    party: RelyingParty
    session: Session
    official: Official
    grant: str
    scope: tuple[str, ...]
    binding: str = ""  # the access token's key: "jkt:<thumbprint>", "x5t:<thumbprint>" or none
    audience: str = ""  # the one resource the access token is for (RFC 8707); "" for userinfo
    claims: str = ""  # the claims parameter of the request, checked, as canonical JSON


def access_token(sitting: Sitting) -> str:
    """A token for one audience; `gid` lets every use ask whether the grant is alive."""
    return issued(sitting.party, person_claims(sitting))


def person_claims(sitting: Sitting) -> dict[str, Any]:
    """The claims of a person's access token (RFC 9068 §2.2)."""
    session = sitting.session
    return {
        **_of_client(sitting.party, sitting.scope, sitting.binding),
        "aud": sitting.audience or services().settings.issuer,
        "sub": sub_of(sitting.party, session.subject),
        "sid": session.id,
        "gid": sitting.grant,
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": session.acr,
        "amr": list(session.amr),
    }


def client_token(
    party: RelyingParty, scope: tuple[str, ...], *, audience: str = "", binding: str = ""
) -> str:
    """A token for a program that acts for itself, at its one audience (RFC 6749 §4.4)."""
    claims = _of_client(party, scope, binding)
    return issued(party, {**claims, "aud": audience or party.audience, "sub": party.client_id})


def _of_client(party: RelyingParty, scope: tuple[str, ...], binding: str) -> dict[str, Any]:
    settings = services().settings
    now = int(services().now().timestamp())
    return {
        "iss": settings.issuer,
        "iat": now,
        "exp": now + settings.lifetimes.access_token_s,
        "jti": randomness.token(16),
        "client_id": party.client_id,
        "scope": " ".join(scope),
        **confirmation(binding),
    }


def confirmation(binding: str) -> Mapping[str, Any]:
    """The `cnf` claim of a token that only the holder of a key may use (RFC 7800 §3.1)."""
    if not binding:
        return {}
    kind, _, thumbprint = binding.partition(":")
    return {"cnf": {_CONFIRMATIONS[kind]: thumbprint}}


def token_type(binding: str) -> str:
    """How a token is sent: a certificate proves itself beside a bearer's header (RFC 8705 §3)."""
    return "DPoP" if binding.startswith("jkt:") else "Bearer"


def issued(party: RelyingParty, claims: JsonObject) -> str:
    """In the party's form: signed, to be read by whoever it is for, or opaque, for introspection."""
    if party.access_token_format == "opaque":  # noqa: S105 - a format
        return access_tokens.keep(claims)
    return services().keys.sign(claims, access_tokens.TYP, Use.OIDC)


def id_token(sitting: Sitting, nonce: str | None, access: str) -> str:
    """Who signed in, when and how strongly (OIDC Core §2, §3.1.3.6)."""
    settings = services().settings
    now = int(services().now().timestamp())
    session, party = sitting.session, sitting.party
    algorithm = party.id_token_signed_response_alg
    claims = {
        **_of_person(sitting),  # first: nothing in it can replace what follows
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
        "at_hash": half_hash(access, algorithm),
        **({} if nonce is None else {"nonce": nonce}),
    }
    signed = services().keys.sign(claims, ID_TOKEN_TYP, Use.OIDC, algorithm)
    return sealed_answers.id_token(party, signed)


def _of_person(sitting: Sitting) -> JsonObject:
    """The person's claims, where this ID token is to tell them.

    A token for another resource opens no userinfo: what it would have told stands here (OIDC Core §5.4).
    """
    party, official = sitting.party, sitting.official
    asked = user_claims.asked(sitting.claims, "id_token")
    if party.claims_in_id_token or sitting.audience:
        asked |= user_claims.asked(sitting.claims, "userinfo")
        return user_claims.of(official, party, frozenset(sitting.scope), asked)
    return user_claims.of(official, party, frozenset(), asked) if asked else {}


def half_hash(value: str, algorithm: str) -> str:
    """The left half of a hash, as `at_hash` has it (OIDC Core §3.1.3.6)."""
    digest = _HASHES.get(algorithm, hashlib.sha256)(value.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
