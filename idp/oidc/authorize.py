"""`/oauth/authorize`: checks a request, sends the browser to sign in, gives the code when it is back.

GET  ?client_id=...   a new request   -> a code (session and consent are there), or 303 /login/<id>
GET  ?login=<id>      back from login -> the code, the consent page, or what stands in its way
"""

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from idp import browser, metrics
from idp.errors import AccessDenied, OutsideError, RequestError
from idp.events import Reason
from idp.login import AuthorizationRequest, Failed, Finished, Started, digest
from idp.oidc import checks, codes, consent, finished, fitness, gate, hints, parameters, way_back
from idp.oidc.finished import Ready
from idp.oidc.parameters import Parameters
from idp.oidc.way_back import WayBack, refused
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

blueprint = Blueprint("authorize", __name__)
METHODS = ["GET", "POST"]
MAX_LOGINS_OF_CHALLENGE = 2  # the third login with one challenge is refused
CHALLENGE_WINDOW_S = 600
MAX_QUERY = 7 * 1024


@blueprint.route("/oauth/authorize", methods=METHODS, provide_automatic_options=False)
def authorize() -> Response:
    """The authorization endpoint (OIDC Core §3.1.2)."""
    if request.method not in METHODS:  # HEAD comes with GET unasked
        raise MethodNotAllowed(METHODS)
    given = parameters.of_request()
    if "login" in given:
        return _resume(given)
    party, way = way_back.find(given)
    try:
        return _begin(given, party, way)
    except RequestError as error:
        if not error.may_redirect:
            raise
        return way_back.refusal(way, party, error)


def _begin(given: Parameters, party: RelyingParty, way: WayBack) -> Response:
    asked = checks.check(given, party, way)
    asked = replace(asked, hint_sub=hints.wanted_sub(given, party, asked))
    if request.method == "POST" and not _cookies_came():
        return _by_get(given)
    _refuse_constant_challenge(asked)
    session = browser.current_session()
    required = checks.required_acr(asked, party)
    lacks = fitness.lack(session, asked, party, required)
    if "none" in asked.prompt:
        return _silently(asked, session, party, way, lacks)
    if session is None or lacks is not Reason.NONE:
        return _to_login(asked, required)
    official = gate.admit_browser(session, party)
    if not consent.is_needed(asked, session, party):
        return codes.issue(asked, session, way)
    login = _start(asked, required)
    state = Finished(ticket=login.ticket, wire=None, session=session.id)
    services().logins.put(state)
    return consent.page(login.ticket.id, asked, party, official)


def _silently(
    asked: AuthorizationRequest,
    session: Session | None,
    party: RelyingParty,
    way: WayBack,
    lacks: Reason,
) -> Response:
    """prompt=none: a code or an error, never a page (OIDC Core §3.1.2.6)."""
    fitness.must_fit(lacks, silent=True)
    if session is None:  # must_fit has raised; said once more for whoever changes it
        raise refused("login_required", "the person must sign in", Reason.LOGIN_REQUIRED)
    try:
        gate.admit_browser(session, party)
        if consent.is_needed(asked, session, party):
            raise refused("consent_required", "the person must agree", Reason.CONSENT_REQUIRED)
        return codes.issue(asked, session, way)
    except AccessDenied as error:
        denied = error.reason is Reason.NOT_ADMITTED
        code = "access_denied" if denied else "login_required"
        raise refused(code, "the person may not enter", error.reason) from error
    except OutsideError as error:
        metrics.OUTSIDE.labels(error.system).inc()
        raise refused("temporarily_unavailable", "try again later", error.reason) from error


def _resume(given: Parameters) -> Response:
    """Back from the login pages: the stored state decides, and nothing of the address but the id."""
    if len(given) > 1 or request.method != "GET":
        raise RequestError("invalid_request", "login stands alone")
    login_id = given["login"]
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    state = stored.state
    if isinstance(state, Finished):
        return finished.ready(stored, _after_login)
    if isinstance(state, Failed) and (state.leaving or state.reason is Reason.DECLINED):
        party, way = way_back.of_request(state.ticket.request)
        error = refused("access_denied", "the person did not sign in", Reason.DECLINED)
        return way_back.refusal(way, party, error, state.ticket.journey)
    return browser.see_other(f"/login/{login_id}")


def _after_login(found: Ready) -> Response:
    asked = found.state.ticket.request
    if consent.is_needed(asked, found.session, found.party):
        return consent.page(found.state.ticket.id, asked, found.party, found.official)
    return codes.issue_once(found.stored, found.state, found.session, found.way)


def _to_login(asked: AuthorizationRequest, required_acr: str) -> Response:
    return browser.see_other(f"/login/{_start(asked, required_acr).ticket.id}")


def _start(asked: AuthorizationRequest, required_acr: str) -> Started:
    """A login that holds the request."""
    return services().logins.start(
        asked,
        browser.browser_hash(),
        required_acr,
        device=browser.device(),
        address=browser.address(),
        network=browser.network(),
    )


def _cookies_came() -> bool:
    """Whether this browser's cookies are here: SameSite=Lax keeps them from another site's POST."""
    settings = services().settings
    return any(
        browser.cookie_name(settings, what) in request.cookies for what in ("browser", "session")
    )


def _by_get(given: Parameters) -> Response:
    """The same request by GET, which brings the cookies; else a POST would never find a session."""
    query = urlencode(given)
    if len(query) > MAX_QUERY:
        raise refused("invalid_request", "the request is too long", Reason.TOO_LARGE)
    return browser.see_other(f"/oauth/authorize?{query}")


def _refuse_constant_challenge(asked: AuthorizationRequest) -> None:
    """A challenge that comes again and again binds nothing (RFC 9700 §2.1.1, A-026)."""
    if not asked.code_challenge:
        return
    key = f"challenge:{digest(f'{asked.client_id} {asked.code_challenge}')}"
    if services().short.count(key, CHALLENGE_WINDOW_S) > MAX_LOGINS_OF_CHALLENGE:
        raise refused("invalid_request", "code_challenge was used before", Reason.PKCE_REUSE)
