"""`/api/v1`: automation with Gongmu's own access tokens (design section 9). Errors are RFC 9457.

What may be asked is in `asking.py`, what is answered in `openapi.py`: a test holds the three equal.
"""

from functools import partial

from flask import Blueprint, Response, jsonify

from idp.access_tokens import AccessToken
from idp.admin import asking, passkeys, people, relying_party_api
from idp.admin.openapi import document
from idp.contracts import CredentialOffers, MobileIdState, Official, PasskeyState
from idp.errors import AccessDenied, RequestError
from idp.events import Kind, Reason
from idp.services import services

blueprint = Blueprint("api", __name__)
blueprint.register_blueprint(relying_party_api.blueprint)
_WORDS: dict[str, list[str]] = {"kind": list(Kind), "reason": list(Reason)}
_EVENT_FILTERS = ("kind", "journey", "subject", "reason", "session")
_CHANGES = {
    "suspend": MobileIdState.SUSPENDED,
    "reinstate": MobileIdState.LIVE,
    "revoke": MobileIdState.REVOKED,
}


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The description of this API (OpenAPI 3.1)."""
    return jsonify(document(services().settings.issuer))


@blueprint.get("/api/v1/people")
def list_people() -> Response:
    """People of the directory: `q` is part of a name, number or address; reading is an event."""
    caller = asking.caller("gongmu:people")
    given = asking.parameters("q", "limit")
    found = services().people.search(given.get("q", ""), asking.limit(given))
    _read(caller, "people", len(found))
    return jsonify({"people": [_person(official) for official in found]})


def _person(official: Official) -> dict[str, str]:
    return {
        "personnel_number": official.personnel_number,
        "name": official.name,
        "agency": official.agency,
        "department": official.department,
        "rank": official.rank,
        "state": official.state.value,
        "source": official.source,
    }


@blueprint.get("/api/v1/people/<personnel_number>")
def show_person(personnel_number: str) -> Response:
    """One person: entry, gate, ids, mobile IDs, live sessions. 404 when nothing is known."""
    caller = asking.caller("gongmu:people")
    asking.parameters()
    number = asking.text("personnel_number", personnel_number, 64)
    try:
        record = people.record_of(services(), number)
    except AccessDenied as error:
        raise asking.refusal(404, "not_found", "nobody has this number", error.reason) from error
    people.read(services(), _actor(caller), "person", record)
    return jsonify(people.shown(record))


@blueprint.get("/api/v1/events")
def list_events() -> Response:
    """Security events, the newest first; `kind`, `journey`, `subject`, `reason`, `session`, times."""
    caller = asking.caller("gongmu:events")
    given = asking.parameters(*_EVENT_FILTERS, "before", "after", "limit")
    for name, words in _WORDS.items():
        if name in given:
            asking.one_of(name, given[name], words)
    match = {name: given[name] for name in _EVENT_FILTERS if name in given}
    before, after = asking.moment(given, "before"), asking.moment(given, "after")
    if before is not None and after is not None and before <= after:
        raise RequestError("invalid_request", "before is later than after")
    found = services().journal.read(limit=asking.limit(given), before=before, **match)
    if after is not None:  # the newest come first: what is left out lies behind the rest
        found = [event for event in found if event["at"] >= after.isoformat()]
    _read(caller, "events", len(found))
    return jsonify({"events": found})


@blueprint.get("/api/v1/mobile-ids")
def list_mobile_ids() -> Response:
    """Mobile IDs, the newest first; of one person when `personnel_number` is given."""
    caller = asking.caller("gongmu:issue")
    given = asking.parameters("personnel_number", "limit")
    found = services().cutoff.all(given.get("personnel_number", ""), asking.limit(given))
    _read(caller, "mobile_ids", len(found))
    return jsonify({"mobile_ids": [people.mobile_id(one) for one in found]})


@blueprint.post("/api/v1/mobile-ids")
def offer_mobile_id() -> Response:
    """Offer a mobile ID to a person: 201 with the offer link and its tx_code, shown this once."""
    caller = asking.caller("gongmu:issue")
    asking.parameters()
    number = asking.text(
        "personnel_number", asking.body("personnel_number").get("personnel_number")
    )
    if not 1 <= len(number) <= 64:
        raise RequestError("invalid_request", "personnel_number is a text of 1 to 64 characters")
    offer = _offers().make_offer(number, _actor(caller))
    response = jsonify(
        {
            "id": offer.id,
            "credential_offer_uri": offer.credential_offer_uri,
            "tx_code": offer.tx_code,
            "expires_at": offer.expires_at.isoformat(),
        }
    )
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    return response


def _change(mobile_id: str, *, state: MobileIdState) -> Response:
    caller = asking.caller("gongmu:issue")
    asking.parameters()
    asking.body()
    cutoff = services().cutoff
    if cutoff.get(mobile_id) is None:
        public = "there is no such mobile ID"
        raise asking.refusal(404, "not_found", public, Reason.OFFER_UNKNOWN)
    try:
        changed = cutoff.set_state(mobile_id, state, _actor(caller))
    except AccessDenied as error:  # revoked, or only offered so far: `code` says which
        public = f"it is {error.detail.partition(' ')[0]}"
        raise asking.refusal(409, "conflict", public, error.reason) from error
    return jsonify(people.mobile_id(changed))


for _name, _state in _CHANGES.items():
    blueprint.add_url_rule(
        f"/api/v1/mobile-ids/<mobile_id>/{_name}",
        f"{_name}_mobile_id",
        partial(_change, state=_state),
        methods=["POST"],
    )


@blueprint.get("/api/v1/passkeys")
def list_passkeys() -> Response:
    """Passkeys, the newest first; of one person when `personnel_number` is given."""
    caller = asking.caller("gongmu:people")
    given = asking.parameters("personnel_number", "limit")
    found = services().passkeys.all(given.get("personnel_number", ""), asking.limit(given))
    _read(caller, "passkeys", len(found))
    return jsonify({"passkeys": [passkeys.shown(one) for one in found]})


def _change_passkey(passkey_id: str, *, state: PasskeyState) -> Response:
    caller = asking.caller("gongmu:people")
    asking.parameters()
    asking.body()
    register = services().passkeys
    if not passkey_id.isprintable() or register.get(passkey_id) is None:
        public = "there is no such passkey"
        raise asking.refusal(404, "not_found", public, Reason.PASSKEY_REMOVED)
    try:
        changed = register.set_state(passkey_id, state, _actor(caller))
    except AccessDenied as error:  # removed, or its phone's mobile ID is stopped: `code` says which
        raise asking.refusal(409, "conflict", "it cannot change so", error.reason) from error
    return jsonify(passkeys.shown(changed))


for _name, _passkey_state in passkeys.CHANGES.items():
    blueprint.add_url_rule(
        f"/api/v1/passkeys/<passkey_id>/{_name}",
        f"{_name}_passkey",
        partial(_change_passkey, state=_passkey_state),
        methods=["POST"],
    )


def _offers() -> CredentialOffers:
    for site in services().sites.values():
        if isinstance(site.service, CredentialOffers):
            return site.service
    raise asking.refusal(404, "not_found", "no issuer is switched on", Reason.CONFIGURATION)


def _actor(caller: AccessToken) -> str:
    return f"automation:{caller.client_id}"


def _read(caller: AccessToken, what: str, rows: int) -> None:
    people.read(services(), _actor(caller), what, rows=rows)


@blueprint.after_request
def _say_when(response: Response) -> Response:
    if response.status_code == 429:
        response.headers["Retry-After"] = "60"
    return response
