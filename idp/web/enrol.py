"""`/account/passkeys`: my passkeys, adding one, renaming and removing; and signing in to my own account.

    GET  /account/passkeys/new          options for the browser; their challenge is kept for one answer
    POST /account/passkeys              the browser's answer: verified, then kept with its event
    POST /account/passkeys/<id>/rename
    GET  /account/passkeys/<id>/remove  what it means; POST does it
    POST /account/sign-in               a sign-in of our own, for whoever has none or an old one

Whatever changes which keys open the account needs a sign-in less than five minutes old, at least as
strong as a QR with its code: an unlocked desk is not enough (A-200, R-062), nor a relayed QR.
"""

import json
import unicodedata
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext
from werkzeug.exceptions import NotFound

from idp import assurance, browser, randomness
from idp.contracts import (
    Attempt,
    BrowserMethod,
    NewPasskey,
    Owner,
    Passkey,
    PasskeyState,
    WalletMethod,
)
from idp.errors import AccessDenied, LoginError, ProofRejected
from idp.events import Event, Kind, Reason
from idp.logins import CHALLENGE_S
from idp.passkeys import Seen
from idp.services import services
from idp.sessions import Session
from idp.web import methods, own

blueprint = Blueprint("enrol", __name__)
PURPOSE = "passkeys"
FRESH_S = 300
FRESH_ACR = "urn:gongmu:acr:2"
MAX_NAME = 40
_HERE = "/account/passkeys"


@blueprint.get(_HERE)
def listed() -> Response:
    """My passkeys, suspended ones too."""
    method = _method()
    if browser.current_session() is None:
        return own.closed("passkeys")
    session = own.session()
    passkeys = services().passkeys.of(session.subject)
    return _page(
        "passkeys.html",
        passkeys=[row(one) for one in passkeys],
        full=len(passkeys) >= services().passkeys.per_person,
        rp_id=method.rp_id,
        user_id=_b64(services().passkeys.user_handle(session.subject)),
        accepted=[_b64(one.credential_id) for one in passkeys],
    )


@blueprint.get(f"{_HERE}/new")
def new() -> Response:
    """What the browser needs to make a passkey."""
    method = _method()
    if browser.current_session() is None:
        return own.closed("new")
    session = own.session()
    return _offer(method, session) if is_fresh(session) else _once_more("new")


@blueprint.post(_HERE)
def add() -> Response:
    """The browser has made one."""
    browser.check_csrf(PURPOSE)
    method, session = _method(), own.session()
    if not is_fresh(session):
        _record_refusal(session, Reason.FRESH_SIGN_IN)
        return _once_more("new")
    try:
        made = _verified(method, session)
        name = clean_name(request.form.get("name", "")) or _usual_name()
        tied = _phone_of(session) if made.on_this_device else ""
        services().passkeys.enrol(session, made, name, tied, _seen())
    except (ProofRejected, AccessDenied) as error:
        _record_refusal(session, error.reason)
        return _offer(method, session, error)
    return browser.see_other(_HERE)


@blueprint.post(f"{_HERE}/<passkey_id>/rename")
def rename(passkey_id: str) -> Response:
    """Another name; an empty one changes nothing."""
    browser.check_csrf(PURPOSE)
    session = own.session()
    name = clean_name(request.form.get("name", ""))
    if name:
        services().passkeys.rename(session, passkey_id, name, _seen())
    return browser.see_other(_HERE)


@blueprint.get(f"{_HERE}/<passkey_id>/remove")
def confirm(passkey_id: str) -> Response:
    """What removing it means, before it is done."""
    if browser.current_session() is None:
        return own.closed("passkeys")
    session = own.session()
    kept = services().passkeys.of(session.subject)
    found = next((one for one in kept if one.id == passkey_id), None)
    if found is None:
        return browser.see_other(_HERE)
    if not is_fresh(session):
        return _once_more("passkeys")
    return _page("passkey_remove.html", passkey=row(found), last=_is_last(found, kept))


@blueprint.post(f"{_HERE}/<passkey_id>/remove")
def remove(passkey_id: str) -> Response:
    """Take it away; the sessions that it opened end, perhaps this one too."""
    browser.check_csrf(PURPOSE)
    session = own.session()
    if not is_fresh(session):
        return _once_more("passkeys")
    if any(one.id == passkey_id for one in services().passkeys.of(session.subject)):
        services().passkeys.set_state(passkey_id, PasskeyState.REMOVED, session.subject)
    return browser.see_other(_HERE)


@blueprint.post("/account/sign-in")
def sign_in() -> Response:
    """A sign-in for our own pages, which no relying party asked for."""
    browser.check_csrf("account")
    return browser.see_other(own.start_login(request.form.get("next", ""), FRESH_ACR))


# --- rules ----------------------------------------------------------------------------------------


def is_fresh(session: Session) -> bool:
    """Whether the person signed in just now, and not by a QR alone."""
    age = services().now() - session.authenticated_at
    return age < timedelta(seconds=FRESH_S) and assurance.reaches(session.acr, FRESH_ACR)


def clean_name(text: str) -> str:
    """A name as it is kept: one line, printable, nothing that reorders what stands beside it (A-204)."""
    known = "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
    return " ".join(unicodedata.normalize("NFC", known).split())[:MAX_NAME].strip()


def row(passkey: Passkey) -> dict[str, Any]:
    """A passkey as pages show it."""
    return {
        "id": passkey.id,
        "name": passkey.name,
        "model": clean_name(str(passkey.data.get("model", ""))),
        "synced": passkey.data.get("synced") is True,
        "state": passkey.state.value,
        "created_at": passkey.created_at,
        "used_at": passkey.used_at,
        "on_phone": bool(passkey.mobile_id),
    }


def _usual_name() -> str:
    return clean_name(browser.device()) or str(gettext("Passkey"))


def _is_last(passkey: Passkey, kept: list[Passkey]) -> bool:
    """Whether nothing that works is left without it (A-201)."""
    return not any(one.state is PasskeyState.LIVE and one.id != passkey.id for one in kept)


def _phone_of(session: Session) -> str:
    """The mobile ID of this very device, "" when the sign-in does not say that it is on it."""
    wallet = isinstance(services().methods.get(session.method), WalletMethod)
    return session.mobile_id if wallet and "same_device" in session.means else ""


# --- the ceremony ---------------------------------------------------------------------------------


def _offer(method: BrowserMethod, session: Session, error: LoginError | None = None) -> Response:
    """The page with fresh options; their state waits for one answer of this session."""
    parts = services()
    attempt = Attempt(
        id=randomness.token(16),
        nonce=randomness.token(32),
        expires_at=parts.now() + timedelta(seconds=CHALLENGE_S),
    )
    official = parts.people.current(
        session.source, session.personnel_number, parts.settings.lifetimes.directory_state_s
    )
    kept = parts.passkeys.of(session.subject)
    owner = Owner(
        user_handle=parts.passkeys.user_handle(session.subject),
        name=official.name,
        credential_ids=tuple(one.credential_id for one in kept),
    )
    step = method.begin_enrolment(attempt, owner)
    waiting = {
        "session": session.id,
        "nonce": attempt.nonce,
        "expires_at": attempt.expires_at.timestamp(),
        "state": dict(step.state),
    }
    parts.short.put(f"enrol:{attempt.id}", json.dumps(waiting), CHALLENGE_S)
    response = _page(
        "passkey_new.html",
        options=step.page["options"],
        attempt=attempt.id,
        expires_in_s=CHALLENGE_S,
        usual_name=_usual_name(),
        refused=error.reason.value if error else "",
    )
    response.status_code = error.status if error else 200
    return response


def _verified(method: BrowserMethod, session: Session) -> NewPasskey:
    """What the method says of the answer to the options that this session was given, used up by it.

    ProofRejected(PASSKEY_TIME) when they are over, used, another session's, or lost with the store.
    """
    attempt_id = request.form.get("attempt", "")
    taken = services().short.take(f"enrol:{attempt_id}") if len(attempt_id) == 22 else None
    waiting = json.loads(taken.value) if taken is not None and taken.first else {}
    now = services().now()
    if waiting.get("session") != session.id or now.timestamp() >= waiting["expires_at"]:
        raise ProofRejected("no such options of this session", reason=Reason.PASSKEY_TIME)
    expires_at = now + timedelta(seconds=waiting["expires_at"] - now.timestamp())
    attempt = Attempt(id=attempt_id, nonce=waiting["nonce"], expires_at=expires_at)
    answer = {"credential": request.form.get("credential", "")}
    return method.complete_enrolment(attempt, waiting["state"], answer)


def _method() -> BrowserMethod:
    """The one whose passkeys are kept here. 404 where there is none."""
    found = methods.browser_method()
    if found is None:
        raise NotFound
    return found


def _once_more(next_page: str) -> Response:
    """The step-up: sign in again, then come back."""
    response = _page("passkey_fresh.html", next_page=next_page)
    response.status_code = 403
    return response


def _record_refusal(session: Session, reason: Reason) -> None:
    services().journal.record_alone(
        Event(
            Kind.PASSKEY_REFUSED,
            reason=reason,
            subject=session.subject,
            actor=session.subject,
            session=session.id,
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
        )
    )


def _seen() -> Seen:
    return Seen(browser.address(), browser.network(), browser.device())


def _page(template: str, **values: Any) -> Response:
    return make_response(render_template(template, **values))


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
