"""Answers that are JWTs: encrypted ID tokens, signed and encrypted userinfo, signed introspection.

OIDC Core §2, §5.3.2, §10.2; RFC 9701 §5. What is encrypted is signed first, so that its reader knows who
wrote it. The key is one that the party registered, by value or by its `jwks_uri`.
"""

from flask import Response, request

from idp import encryption, jws
from idp.contracts import JsonObject, Use
from idp.errors import RequestError
from idp.events import Reason
from idp.relying_parties import RelyingParty
from idp.services import services

INTROSPECTION = "token-introspection+jwt"  # the `typ`, and the media type without application/


def id_token(party: RelyingParty, signed: str) -> str:
    """A signed ID token as this party gets it: encrypted where it is registered so."""
    algorithm = party.id_token_encrypted_response_alg
    if not algorithm:
        return signed
    return _encrypted(party, signed, algorithm, party.id_token_encrypted_response_enc)


def userinfo(party: RelyingParty, claims: JsonObject) -> Response:
    """Userinfo for a party that is registered for a signed one (OIDC Core §5.3.2)."""
    body = _signed(party, claims, "JWT", party.userinfo_signed_response_alg)
    algorithm = party.userinfo_encrypted_response_alg
    if algorithm:
        body = _encrypted(party, body, algorithm, party.userinfo_encrypted_response_enc)
    return _response(body, "application/jwt")


def introspection(party: RelyingParty, told: JsonObject) -> Response:
    """What introspection tells, as a JWT for the party that asked (RFC 9701 §5).

    All of it stands in one member: no reader of access or ID tokens finds a `sub` or an `exp` here.
    """
    algorithm = party.introspection_signed_response_alg or party.id_token_signed_response_alg
    body = _signed(party, {"token_introspection": told}, INTROSPECTION, algorithm)
    return _response(body, f"application/{INTROSPECTION}")


def wants_signed_introspection() -> bool:
    """Whether this request would rather have the JWT (RFC 9701 §4)."""
    accepted = request.headers.get("Accept", "")
    if INTROSPECTION not in accepted.lower():
        return False
    types = ["application/json", f"application/{INTROSPECTION}"]
    return request.accept_mimetypes.best_match(types) == types[1]


def _signed(party: RelyingParty, claims: JsonObject, typ: str, algorithm: str) -> str:
    parts = services()
    about = {
        "iss": parts.settings.issuer,
        "aud": party.client_id,
        "iat": int(parts.now().timestamp()),
    }
    return parts.keys.sign({**claims, **about}, typ, Use.OIDC, algorithm)


def _encrypted(party: RelyingParty, signed: str, algorithm: str, method: str) -> str:
    try:
        return encryption.encrypt(signed, services().key_sets.of(party), algorithm, method)
    except jws.NotGenuine as error:
        public = "the client has no key to encrypt to"
        refused = RequestError("invalid_client_metadata", public, reason=Reason.CONFIGURATION)
        refused.relying_party = party.client_id
        raise refused from error


def _response(body: str, mimetype: str) -> Response:
    response = Response(body, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response
