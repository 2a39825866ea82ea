"""`/api/v1/relying-parties`: what `gongmu rp` does, for programs.

Who may change relying parties could give itself every scope by way of one. So a caller neither gives
a scope of this API that its own token lacks, nor touches a party that has one (A-235).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify

from idp.access_tokens import AccessToken
from idp.admin import asking, inspection, people, relying_parties
from idp.errors import ConfError, RequestError
from idp.events import Reason
from idp.registration import is_client_id
from idp.relying_parties import MEANWHILE, TAKEN, RelyingParty
from idp.services import services

blueprint = Blueprint("relying_parties", __name__)
SCOPE = "gongmu:rp"
_API = "gongmu:"


@blueprint.get("/api/v1/relying-parties")
def listed() -> Response:
    """Every one, by id."""
    caller = asking.caller(SCOPE)
    most = asking.limit(asking.parameters("limit"))
    found = services().relying_parties.all()[:most]
    people.read(services(), _actor(caller), "relying_parties", rows=len(found))
    return jsonify({"relying_parties": [relying_parties.shown(party) for party in found]})


@blueprint.post("/api/v1/relying-parties")
def add() -> Response:
    """Register one: 201 with its secret, shown this once."""
    caller = asking.caller(SCOPE)
    asking.parameters()
    given = asking.body("client_id", "settings")
    client_id, settings = given.get("client_id"), _settings(given)
    if not isinstance(client_id, str) or not is_client_id(client_id):
        raise RequestError("invalid_request", "client_id is 1 to 40 letters, digits, '.', '_', '-'")
    with _faults_told():
        party = relying_parties.new(services(), client_id, settings)
        _must_be_within(party, caller)
        secret = services().relying_parties.add(party, _actor(caller))
    return _once({"relying_party": relying_parties.shown(party), "client_secret": secret})


@blueprint.get("/api/v1/relying-parties/<client_id>")
def show(client_id: str) -> Response:
    """Every setting of one."""
    caller, party = _asked(client_id)
    people.read(services(), _actor(caller), "relying_party")
    return jsonify(relying_parties.shown(party))


@blueprint.patch("/api/v1/relying-parties/<client_id>")
def update(client_id: str) -> Response:
    """Change some settings of one."""
    caller, party = _asked(client_id)
    _must_be_within(party, caller)
    settings = _settings(asking.body("settings"))
    with _faults_told():
        wanted = relying_parties.changed(services(), party, settings)
        _must_be_within(wanted, caller)
        services().relying_parties.update(wanted, _actor(caller), since=party)
    return jsonify(relying_parties.shown(wanted))


@blueprint.post("/api/v1/relying-parties/<client_id>/disable")
def disable(client_id: str) -> Response:
    """Shut one out."""
    return _set_disabled(client_id, disabled=True)


@blueprint.post("/api/v1/relying-parties/<client_id>/enable")
def enable(client_id: str) -> Response:
    """Let one in again."""
    return _set_disabled(client_id, disabled=False)


@blueprint.post("/api/v1/relying-parties/<client_id>/secrets")
def add_secret(client_id: str) -> Response:
    """One more secret: 201, shown this once. 409 when two count already."""
    caller, party = _asked(client_id)
    _must_be_within(party, caller)
    asking.body()
    try:
        secret_id, secret = services().relying_parties.secrets.add(client_id, _actor(caller))
    except ConfError as error:
        raise asking.refusal(409, "conflict", "two secrets count; remove one first") from error
    return _once({"id": secret_id, "client_secret": secret})


@blueprint.get("/api/v1/relying-parties/<client_id>/findings")
def findings(client_id: str) -> Response:
    """What is wrong with one."""
    caller, party = _asked(client_id)
    people.read(services(), _actor(caller), "relying_party")
    found = inspection.inspect(services(), party)
    return jsonify({"findings": [asdict(finding) for finding in found]})


def _asked(client_id: str) -> tuple[AccessToken, RelyingParty]:
    """Who calls, and about whom. 404 for an unknown one."""
    caller = asking.caller(SCOPE)
    asking.parameters()
    party = services().relying_parties.fresh(client_id)
    if party is None:
        public = "there is no relying party with this id"
        raise asking.refusal(404, "not_found", public, Reason.CLIENT_UNKNOWN)
    return caller, party


def _set_disabled(client_id: str, *, disabled: bool) -> Response:
    caller, party = _asked(client_id)
    _must_be_within(party, caller)
    asking.body()
    services().relying_parties.set_disabled(client_id, disabled, _actor(caller))
    return jsonify({**relying_parties.shown(party), "disabled": disabled})


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    settings = given.get("settings")
    if not isinstance(settings, dict):
        raise RequestError("invalid_request", "settings is an object")
    return settings


def _must_be_within(party: RelyingParty, caller: AccessToken) -> None:
    """No scope of this API beyond the caller's own."""
    beyond = {name for name in party.scope if name.startswith(_API)} - caller.scope
    if beyond:
        public = f"the token lacks {min(beyond)}, which this relying party has or would have"
        raise asking.refusal(403, "insufficient_scope", public, Reason.SCOPE)


@contextmanager
def _faults_told() -> Iterator[None]:
    """Faults of a registration as one problem document: 409 where somebody else came first."""
    try:
        yield
    except ConfError as error:
        taken = any(one.found in {TAKEN, MEANWHILE} for one in error.problems)
        told = [f"{one.key}: found {one.found}; allowed: {one.allowed}" for one in error.problems]
        code = "conflict" if taken else "invalid_request"
        raise asking.refusal(409 if taken else 400, code, "; ".join(told)[:2000]) from error


def _once(body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    return response


def _actor(caller: AccessToken) -> str:
    return f"automation:{caller.client_id}"
