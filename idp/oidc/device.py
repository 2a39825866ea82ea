"""The device grant: a device without a browser shows a code, which the person types elsewhere (RFC 8628).

Off by default, by `grants.device` and by the party's grant types. A code can be read aloud to a stranger,
as a QR can be relayed, so it is held to the discipline of the return code: short-lived, typed once, by one
browser, with its tries counted; the page says who asks and from where; and what it opens is
worth no more than a return code, however strongly the person signed in. There is no address with the
code in it (§3.3.1): a link that somebody sent opens nothing.

`device_pages.py` has the pages, `device_requests.py` the states between. The device gets a session of its
own (`device_session.py`), which its owner finds and ends in `/account`; it is made when the device comes
for it, and only while the session that allowed it lives.
"""

from typing import Any

from flask import Blueprint, Response, abort, jsonify

from idp import assurance, rates
from idp.errors import AccessDenied, RequestError
from idp.events import Reason
from idp.oidc import (
    clients,
    device_requests,
    device_session,
    gate,
    minting,
    parameters,
    refresh,
    resources,
)
from idp.oidc.device_requests import DeviceRequest, Stored
from idp.oidc.minting import Sitting
from idp.oidc.parameters import Parameters
from idp.oidc.token_answers import invalid_grant, of_access_token, record_issued
from idp.registration import DEVICE_CODE
from idp.relying_parties import RelyingParty
from idp.services import services

blueprint = Blueprint("device", __name__)
INTERVAL_S = 5  # between two polls (§3.5)


def must_be_on() -> None:
    """404 where the grant is switched off."""
    if not services().settings.grants.device:
        abort(404)


@blueprint.post("/oauth/device_authorization")
def device_authorization() -> Response:
    """The device authorization endpoint (§3.1, §3.2)."""
    must_be_on()
    given = parameters.of_body()
    party = clients.authenticate(given)
    if DEVICE_CODE not in party.grant_types:
        raise RequestError(
            "unauthorized_client", "the device grant is not registered", reason=Reason.GRANT_TYPE
        )
    rates.must_fit("logins")
    device_code, request = device_requests.add(party.client_id, _scope(given, party))
    response = jsonify(
        {
            "device_code": device_code,
            "user_code": request.user_code,
            "verification_uri": f"{services().settings.issuer}/device",
            "expires_in": device_requests.LIFETIME_S,
            "interval": INTERVAL_S,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _scope(given: Parameters, party: RelyingParty) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(given.get("scope", "").split(" ")))
    allowed = {name for name in party.scope if not name.startswith("gongmu:")}
    if "openid" not in names or not set(names) <= allowed:
        raise RequestError(
            "invalid_scope", "openid, and what is registered beside it", reason=Reason.SCOPE
        )
    return names


def by_device_code(given: Parameters, party: RelyingParty, binding: str) -> dict[str, Any]:
    """The answer to a poll (§3.4, §3.5): tokens, once; else what the device is to do."""
    stored = _of_code(given, party)  # 1. known, and the client's own
    if services().now() >= stored.request.expires_at:  # 2. in time
        raise RequestError("expired_token", "the code has expired", reason=Reason.GRANT_EXPIRED)
    if stored.request.step in ("waiting", "typed"):  # 3. decided
        raise _pending(stored)
    resources.audience(given, ())  # 4. for userinfo alone
    if not device_requests.take(stored):  # 5. used up from here on
        raise invalid_grant(Reason.GRANT_REPLAYED, party)
    if stored.request.step == "refused":
        raise RequestError("access_denied", "the person refused", reason=Reason.DECLINED)
    sitting = _sitting(stored.request, party, binding)  # 6. the person may still act
    access = minting.access_token(sitting)
    answer = {
        **of_access_token(access, sitting.scope, binding),
        "id_token": minting.id_token(sitting, None, access),
    }
    if refresh.is_granted(sitting):
        answer["refresh_token"] = refresh.begin(sitting)
    record_issued(party, sitting)
    return answer


def _of_code(given: Parameters, party: RelyingParty) -> Stored:
    value = given.get("device_code")
    if value is None:
        raise RequestError("invalid_request", "device_code is missing")
    stored = device_requests.of_code(value)
    if stored is None:
        raise invalid_grant(Reason.GRANT_UNKNOWN, party)
    if stored.request.client_id != party.client_id:
        raise invalid_grant(Reason.GRANT_CLIENT, party)
    return stored


def _pending(stored: Stored) -> RequestError:
    """Not yet; or too soon after the last poll. Steps of the protocol: there is nothing to review."""
    # A second of slack, since a device's clock and the network's delays are not ours.
    early = services().short.count(f"devicepoll:{stored.id}", INTERVAL_S - 1) > 1
    error = RequestError("slow_down" if early else "authorization_pending", "ask again later")
    error.recorded = True
    return error


def _sitting(request: DeviceRequest, party: RelyingParty, binding: str) -> Sitting:
    """The device's own session and grant, when who allowed it is still signed in and may act."""
    parts = services()
    owner = parts.sessions.get(request.session)
    if owner is None:
        raise invalid_grant(Reason.SESSION_OVER, party)
    if not assurance.reaches(owner.acr, party.minimum_acr):  # raised since it was allowed
        raise invalid_grant(Reason.ACR_UNMET, party)
    try:
        official = gate.admit(owner, party)
        session = device_session.start(
            owner, party.client_id, request.device, request.address, request.network
        )
    except AccessDenied as error:
        raise invalid_grant(error.reason, party) from error
    grant = parts.sessions.add_grant(session, party.client_id, request.scope)
    return Sitting(party, session, official, grant.id, grant.scope, binding)
