"""`/oauth/par`: a relying party pushes its request over its own connection (RFC 9126, FAPI 2.0 §5.3.2.2).

It authenticates, the request is checked whole, and a `request_uri` stands for it in the browser. That
may be opened again while nobody has signed in (FAPI 2.0 §5.3.2.2 note 3); the code uses it up, in one
atomic step (A-014).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flask import Blueprint, Response, jsonify
from pydantic import TypeAdapter, ValidationError

from idp import randomness, rates, sender
from idp.errors import RequestError
from idp.events import Reason
from idp.login import AuthorizationRequest, digest
from idp.oidc import checks, clients, parameters, request_objects, way_back
from idp.oidc.parameters import Parameters
from idp.oidc.way_back import page_error
from idp.relying_parties import RelyingParty
from idp.services import services

blueprint = Blueprint("par", __name__)
PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFE_S = 60


@dataclass(frozen=True, slots=True)
class _Pushed:
    request: AuthorizationRequest
    expires_at: datetime  # no page is opened after it; a login that began before may end


_ADAPTER: TypeAdapter[_Pushed] = TypeAdapter(_Pushed)


@blueprint.post("/oauth/par")
def push() -> Response:
    """The pushed authorization request endpoint."""
    given = parameters.of_body()
    party = clients.authenticate(given)  # 1. the party itself
    if party.profile == "public":  # anybody's word for it, from the person's own device
        rates.must_fit("logins")
    try:
        asked = _asked(given, party)
    except RequestError as error:
        error.relying_party = party.client_id
        raise
    response = jsonify({"request_uri": _keep(asked), "expires_in": LIFE_S})
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    return response


def _asked(given: Parameters, party: RelyingParty) -> AuthorizationRequest:
    """What the party asks. RequestError, all of it told to the party itself."""
    key = sender.proven_key()  # 2. its key; first, for a nonce may have to be fetched with this
    values = {**request_objects.unwrapped(given, party), "client_id": party.client_id}  # 3. signed
    way = way_back.find(values, way_back.client(values))  # 4. a way back
    asked = _bound(checks.check(values, way), key)  # 5. all else, as at the authorization endpoint
    checks.refuse_constant_challenge(asked)
    return asked


def _bound(asked: AuthorizationRequest, key: str) -> AuthorizationRequest:
    """Bound to the key that pushed it, as if it had said so in `dpop_jkt` (RFC 9449 §10.1)."""
    if key and asked.dpop_jkt not in ("", key):
        raise RequestError(
            "invalid_dpop_proof", "dpop_jkt is another key", reason=Reason.DPOP_PROOF
        )
    return replace(asked, dpop_jkt=key or asked.dpop_jkt)


def _keep(asked: AuthorizationRequest) -> str:
    parts = services()
    value = randomness.token(32)
    asked = replace(asked, pushed=digest(value))
    pushed = _Pushed(asked, parts.now() + timedelta(seconds=LIFE_S))
    # As long as a login may take that was begun with it in its last second.
    ttl_s = LIFE_S + 3 * parts.settings.lifetimes.login_s
    parts.short.put(f"par:{asked.pushed}", _ADAPTER.dump_json(pushed).decode(), ttl_s)
    return f"{PREFIX}{value}"


def find(given: Parameters, party: RelyingParty) -> AuthorizationRequest | None:
    """The request that a browser's `request_uri` stands for; None when it names none of ours.

    RequestError, for a page of ours, when it is over, used up, unknown or another party's (A-013 to A-016).
    """
    uri = given.get("request_uri", "")
    if not uri.startswith(PREFIX) or "request" in given:
        return None
    parts = services()
    text = parts.short.get(f"par:{digest(uri.removeprefix(PREFIX))}")
    pushed = _read(text) if text is not None else None
    if (
        pushed is None
        or pushed.request.client_id != party.client_id
        or parts.now() >= pushed.expires_at
    ):
        raise page_error("invalid_request", Reason.REQUEST_URI, party=party)
    return pushed.request


def use_up(asked: AuthorizationRequest) -> None:
    """Does nothing for a request that was not pushed. RequestError unless this is its first code."""
    if asked.pushed and services().short.take(f"par:{asked.pushed}") is None:
        raise page_error("invalid_request", Reason.REQUEST_URI)


def _read(text: str) -> _Pushed | None:
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError:  # written by another version of ours: as good as unknown
        return None
