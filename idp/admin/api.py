"""`/api/v1`: automation with Gongmu's own access tokens (design section 9). Errors are RFC 9457."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp.access_tokens import AccessToken, verify_access_token
from idp.admin.openapi import document
from idp.contracts import CredentialOffers, Official
from idp.errors import LoginNotFound, RequestError, UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.services import services

blueprint = Blueprint("api", __name__)
MAX_ROWS = 500
_EVENT_FILTERS = ("kind", "journey", "subject", "reason", "session")


def _caller(scope: str) -> AccessToken:
    """The client behind the bearer token; 401 without one, 403 without the scope (RFC 6750 §3.1)."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise UnauthorizedError("invalid_token", "a bearer token is needed", scheme="Bearer")
    found = verify_access_token(token.strip(), f"{services().settings.issuer}/api/v1")
    if scope not in found.scope:
        error = RequestError("insufficient_scope", f"the token lacks {scope}", reason=Reason.SCOPE)
        error.status = 403
        raise error
    return found


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_ROWS):
        raise RequestError("invalid_request", f"limit is a number from 1 to {MAX_ROWS}")
    return int(text)


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The description of this API (OpenAPI 3.1)."""
    return jsonify(document(services().settings.issuer))


@blueprint.get("/api/v1/people")
def people() -> Response:
    """People of the directory: `q` is part of a name, number or address; reading is an event."""
    caller = _caller("gongmu:people")
    found = services().people.search(request.args.get("q", "")[:100], _limit())
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


@blueprint.get("/api/v1/events")
def events() -> Response:
    """Security events, the newest first; `kind`, `journey`, `subject`, `reason`, `session`, `before`."""
    caller = _caller("gongmu:events")
    match = {name: request.args[name] for name in _EVENT_FILTERS if name in request.args}
    found = services().journal.read(limit=_limit(), before=_before(), **match)
    _read(caller, "events", len(found))
    return jsonify({"events": found})


def _before() -> datetime | None:
    if "before" not in request.args:
        return None
    try:
        value = datetime.fromisoformat(request.args["before"])
    except ValueError as error:
        raise RequestError("invalid_request", "before is an ISO 8601 time") from error
    if value.tzinfo is None:
        raise RequestError("invalid_request", "before needs an offset, e.g. +09:00")
    return value


@blueprint.post("/api/v1/mobile-ids")
def offer_mobile_id() -> Response:
    """Offer a mobile ID to a person: 201 with the offer link and its tx_code, shown this once."""
    caller = _caller("gongmu:issue")
    number = _body().get("personnel_number")
    if not isinstance(number, str) or not 1 <= len(number) <= 64:
        raise RequestError("invalid_request", "personnel_number is a text of 1 to 64 characters")
    offer = _offers().make_offer(number, f"automation:{caller.client_id}")
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


def _offers() -> CredentialOffers:
    for site in services().sites.values():
        if isinstance(site.service, CredentialOffers):
            return site.service
    raise LoginNotFound("no issuer is switched on")


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True) if request.mimetype == "application/json" else None
    if not isinstance(body, dict):
        raise RequestError("invalid_request", "a JSON object is expected (application/json)")
    return body


def _read(caller: AccessToken, what: str, rows: int) -> None:
    services().journal.record_alone(
        Event(
            Kind.API_READ,
            actor=f"automation:{caller.client_id}",
            data={"what": what, "rows": str(rows)},
        )
    )
