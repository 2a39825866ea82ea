"""Consent: asked when the relying party's setting or the request wants it, kept per person and party.

`trusted` parties are never asked for, `always` ones each time; what was agreed to `once` is remembered
(`remembered.py`) and asked again when a scope or a single claim is added. A decision is tied to one
login, so it can be given for nothing else than what the page showed (A-124).
"""

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import get_locale

from idp import browser
from idp.contracts import Official
from idp.errors import RequestError
from idp.events import Event, Kind, Reason
from idp.login import AuthorizationRequest, fail
from idp.oidc import codes, remembered, user_claims, way_back
from idp.oidc.finished import Ready, when_ready
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction

blueprint = Blueprint("consent", __name__)


def is_needed(asked: AuthorizationRequest, session: Session, party: RelyingParty) -> bool:
    """Whether the person must be asked before a code is made (OIDC Core §3.1.2.4)."""
    if "consent" in asked.prompt or party.consent == "always":
        return True
    return party.consent == "once" and not remembered.covers(
        session.subject, party.client_id, remembered.of_request(asked)
    )


def page(
    login_id: str, asked: AuthorizationRequest, party: RelyingParty, who: Official
) -> Response:
    """The page that asks."""
    browser.allow_form_target(asked.redirect_uri)
    wanted = remembered.of_request(asked)
    locale = get_locale()
    english = locale is not None and locale.language == "en"
    html = render_template(
        "consent.html",
        login_id=login_id,
        relying_party=party.name_en if english else party.name_ko,
        scopes=asked.scope,
        claims=sorted(user_claims.of(who, party, wanted.scope, wanted.claims)),
    )
    return make_response(html)


@blueprint.post("/oauth/consent/<login_id>")
def decide(login_id: str) -> Response:
    """What the person decided: a code, or access_denied."""
    browser.check_csrf(f"consent:{login_id}")
    decision = request.form.get("decision", "")
    if decision not in ("allow", "deny"):
        raise RequestError("invalid_request", "decision is allow or deny")
    stored = services().logins.load_for(login_id, browser.browser_hash())
    return when_ready(stored, _deny if decision == "deny" else _allow)


def _allow(found: Ready) -> Response:
    _record(found, Kind.CONSENT_GIVEN, keep=found.party.consent == "once")
    return codes.issue_once(found.stored, found.state, found.session, found.way)


def _deny(found: Ready) -> Response:
    services().logins.change(found.stored, fail(found.state, Reason.DECLINED))
    _record(found, Kind.CONSENT_REFUSED, keep=False)
    return way_back.answer(
        found.way, {"error": "access_denied", "error_description": "the person did not agree"}
    )


def _record(found: Ready, kind: Kind, *, keep: bool) -> None:
    """The event of a decision, and the consent itself in the same transaction."""
    asked, subject = found.state.ticket.request, found.session.subject
    wanted = remembered.of_request(asked)
    with transaction(services().engine) as connection:
        if keep:
            remembered.keep(connection, subject, asked.client_id, wanted)
        services().journal.record(
            connection,
            Event(
                kind,
                journey=found.state.ticket.journey,
                subject=subject,
                relying_party=asked.client_id,
                session=found.session.id,
                address=browser.address(),
                network=browser.network(),
                data={
                    "scope": " ".join(sorted(wanted.scope)),
                    **({"claims": " ".join(sorted(wanted.claims))} if wanted.claims else {}),
                },
            ),
        )
