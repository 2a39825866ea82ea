"""`/device`: the person types the code that a device shows, sees who asks, and decides (RFC 8628 §3.3)."""

from dataclasses import dataclass, replace

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import get_locale

from idp import assurance, browser, login_start
from idp.contracts import Official
from idp.errors import LoginExpired, RequestError
from idp.events import Event, Kind, Reason
from idp.oidc import device_requests, gate, user_claims
from idp.oidc.device import must_be_on
from idp.oidc.device_requests import DeviceRequest, Stored
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

blueprint = Blueprint("device_pages", __name__)
PURPOSE = "device"
TRIES = 100  # of one person or address within the window; there are 20^8 codes
TRIES_WINDOW_S = 600
_DECISIONS = {
    "allow": (Kind.CONSENT_GIVEN, Reason.NONE),
    "deny": (Kind.CONSENT_REFUSED, Reason.DECLINED),
    "not-me": (Kind.LOGIN_NOT_ME, Reason.DISOWNED),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose code this browser typed, and who would allow it."""

    stored: Stored
    party: RelyingParty
    session: Session
    official: Official


@blueprint.get("/device")
def ask() -> Response:
    """The page that asks for the code."""
    must_be_on()
    return make_response(render_template("device.html", error=False))


@blueprint.post("/device")
def type_code() -> Response:
    """The code as it was typed. The right one is used up by that."""
    must_be_on()
    browser.check_csrf(PURPOSE)
    _count_try()
    request_id = device_requests.claim(request.form.get("user_code", ""), browser.browser_hash())
    if request_id is not None:
        return browser.see_other(f"/device/{request_id}")
    _record(Kind.DEVICE_CODE_REFUSED, Reason.RETURN_CODE_WRONG)
    return make_response(render_template("device.html", error=True), 400)


def _count_try() -> None:
    """Of the person who is signed in, else of the address: nobody shuts out a building's other people."""
    session = browser.current_session()
    whose = session.subject if session else browser.address()
    if services().short.count(f"rate:usercode:{whose}", TRIES_WINDOW_S) > TRIES:
        error = RequestError("slow_down", "too many codes were tried", reason=Reason.RATE)
        error.status = 429
        raise error


@blueprint.get("/device/<request_id>")
def show(request_id: str) -> Response:
    """Who asks, from where, for what; or the sign-in that must come first; or how it was decided."""
    must_be_on()
    stored = device_requests.load_for(request_id, browser.browser_hash())
    if stored.request.step in ("allowed", "refused"):
        return make_response(render_template("device_done.html", step=stored.request.step))
    asked = _asked(stored)
    return asked if isinstance(asked, Response) else _page(asked)


@blueprint.post("/device/<request_id>")
def decide(request_id: str) -> Response:
    """What the person decided. The event comes first: nothing is allowed without it."""
    must_be_on()
    browser.check_csrf(f"{PURPOSE}:{request_id}")
    decision = request.form.get("decision", "")
    if decision not in _DECISIONS:
        raise RequestError("invalid_request", "decision is allow, deny or not-me")
    stored = device_requests.load_for(request_id, browser.browser_hash())
    asked = _asked(stored) if stored.request.step == "typed" else None
    if isinstance(asked, _Asked):
        _record(*_DECISIONS[decision], asked)
        step = replace(stored.request, step="refused")
        if decision == "allow":
            step = replace(stored.request, step="allowed", session=asked.session.id)
        device_requests.change(stored, step)
    return browser.see_other(f"/device/{request_id}")


def _asked(stored: Stored) -> _Asked | Response:
    """The request with the person who is signed in here and may act there; else the way to sign in."""
    asked = stored.request
    party = services().relying_parties.get(asked.client_id)
    if party is None or party.disabled:
        raise RequestError("invalid_request", reason=Reason.CLIENT_DISABLED)
    if services().now() >= asked.expires_at:
        raise LoginExpired("the code of the device has expired")
    session = browser.current_session()
    if session is None or not _suffices(session, asked, party):
        return _to_login(stored, party)
    return _Asked(stored, party, session, gate.admit_browser(session, party))


def _suffices(session: Session, asked: DeviceRequest, party: RelyingParty) -> bool:
    """Strong enough, and fresh: signed in since the device asked, or within the party's limit."""
    now, limit = services().now(), party.default_max_age
    age_s = (now - session.authenticated_at).total_seconds()
    fresh = limit is None or session.authenticated_at >= asked.asked_at or age_s < limit
    return fresh and assurance.reaches(session.acr, party.minimum_acr)


def _to_login(stored: Stored, party: RelyingParty) -> Response:
    """A sign-in in this browser that comes back here."""
    page = f"/device/{stored.id}"
    return browser.see_other(login_start.start_for_page(page, party.minimum_acr, party.client_id))


def _page(asked: _Asked) -> Response:
    device, party = asked.stored.request, asked.party
    locale = get_locale()
    english = locale is not None and locale.language == "en"
    html = render_template(
        "device_confirm.html",
        request_id=asked.stored.id,
        user_code=device.user_code,
        relying_party=party.name_en if english else party.name_ko,
        person_name=asked.official.name,
        desk_device=device.device,
        desk_place=device.network or device.address,
        desk_time=device.asked_at,
        elsewhere=device.address != browser.address(),
        scopes=device.scope,
        claims=sorted(user_claims.of(asked.official, party, frozenset(device.scope))),
    )
    return make_response(html)


def _record(kind: Kind, reason: Reason, asked: _Asked | None = None) -> None:
    session = asked.session if asked else None
    services().journal.record_alone(
        Event(
            kind,
            reason=reason,
            journey=session.journey if session else "",
            subject=session.subject if session else "",
            session=session.id if session else "",
            relying_party=asked.party.client_id if asked else "",
            method="device",
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
            data={"device_address": asked.stored.request.address} if asked else {},
        )
    )
