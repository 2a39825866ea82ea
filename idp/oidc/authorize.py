"""`/oauth/authorize`: checks a request, sends the browser to sign in, gives the code when it is back.

GET  ?client_id=...                  a new request    -> a code, the consent page, or 303 /login/<id>
GET  ?client_id=...&request=...      a signed one     -> the same
GET  ?client_id=...&request_uri=...  one pushed before (`par.py`) -> the same
GET  ?login=<id>                     back from login  -> the code, the consent page, or what stands in its way

What is not `login` may be posted as well. A request is `given` as it came, then `values` (unwrapped from its
signed object), then `asked` (checked).
"""

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from idp import browser, login_start, metrics
from idp.errors import AccessDenied, OutsideError, RequestError
from idp.events import Reason
from idp.login import AuthorizationRequest, Failed, Finished
from idp.oidc import (
    checks,
    codes,
    consent,
    finished,
    fitness,
    gate,
    par,
    parameters,
    request_objects,
    way_back,
)
from idp.oidc.finished import Ready
from idp.oidc.parameters import Parameters
from idp.oidc.way_back import WayBack, refused
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

blueprint = Blueprint("authorize", __name__)
METHODS = ["GET", "POST"]
MAX_QUERY = 7 * 1024


@blueprint.route("/oauth/authorize", methods=METHODS, provide_automatic_options=False)
def authorize() -> Response:
    """The authorization endpoint (OIDC Core §3.1.2)."""
    if request.method not in METHODS:  # HEAD comes with GET unasked
        raise MethodNotAllowed(METHODS)
    given = parameters.of_request()
    if "login" in given:
        return _resume(given)
    if request.method == "POST" and not _cookies_came():
        return _by_get(given)
    party = way_back.client(given)
    pushed = par.find(given, party)
    if pushed is not None:
        return _or_tell_refusal(way_back.of_request(pushed), partial(_begin, pushed))
    try:
        values = _values(given, party)
    except RequestError as error:
        if not error.may_redirect:
            raise
        return _unread(given, party, error)
    return _or_tell_refusal(way_back.find(values, party), partial(_check_and_begin, values))


def _or_tell_refusal(way: WayBack, then: Callable[[WayBack], Response]) -> Response:
    """What `then` answers; what it refuses is told to the relying party."""
    try:
        return then(way)
    except RequestError as error:
        if not error.may_redirect:
            raise
        return way_back.refusal(way, error)


def _values(given: Parameters, party: RelyingParty) -> Parameters:
    """What a request that was not pushed asks, from its signed object where it has one."""
    if checks.must_be_pushed(party):
        raise refused("invalid_request", "the request must be pushed", Reason.REQUEST_URI)
    if "request_uri" in given and "request" not in given:  # nothing is ever fetched
        raise refused("request_uri_not_supported", "only what was pushed", Reason.REQUEST_URI)
    return request_objects.unwrapped(given, party)


def _unread(given: Parameters, party: RelyingParty, error: RequestError) -> Response:
    """A request that could not be read: the query may name a way back, as always a registered one."""
    try:
        way = way_back.find(given, party)
    except RequestError:
        raise error from None
    return way_back.refusal(way, error)


def _check_and_begin(values: Parameters, way: WayBack) -> Response:
    asked = checks.check(values, way)
    checks.refuse_constant_challenge(asked)
    return _begin(asked, way)


def _begin(asked: AuthorizationRequest, way: WayBack) -> Response:
    """A code at once, or the page that leads to one."""
    party = way.party
    session = browser.current_session()
    required = checks.required_acr(asked, party)
    lacks = fitness.lack(session, asked, party, required)
    if "none" in asked.prompt:
        return _silently(asked, session, way, lacks)
    if session is None or lacks is not Reason.NONE:
        return _to_login(asked, required)
    official = gate.admit_browser(session, party)
    if not consent.is_needed(asked, session, party):
        return codes.issue(asked, session, way)
    login = login_start.start(asked, required)
    state = Finished(ticket=login.ticket, wire=None, session=session.id)
    services().logins.put(state)
    return consent.page(login.ticket.id, asked, party, official)


def _silently(
    asked: AuthorizationRequest,
    session: Session | None,
    way: WayBack,
    lacks: Reason,
) -> Response:
    """prompt=none: a code or an error, never a page (OIDC Core §3.1.2.6)."""
    fitness.must_fit(lacks, silent=True)
    if session is None:  # must_fit has raised; said once more for whoever changes it
        raise refused("login_required", "the person must sign in", Reason.LOGIN_REQUIRED)
    try:
        gate.admit_browser(session, way.party)
        if consent.is_needed(asked, session, way.party):
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
        return finished.when_ready(stored, _after_login)
    if isinstance(state, Failed) and (state.leaving or state.reason is Reason.DECLINED):
        way = way_back.of_request(state.ticket.request)
        error = refused("access_denied", "the person did not sign in", Reason.DECLINED)
        return way_back.refusal(way, error, state.ticket.journey)
    return browser.see_other(f"/login/{login_id}")


def _after_login(found: Ready) -> Response:
    asked = found.state.ticket.request
    if consent.is_needed(asked, found.session, found.party):
        return consent.page(found.state.ticket.id, asked, found.party, found.official)
    return codes.issue_once(found.stored, found.state, found.session, found.way)


def _to_login(asked: AuthorizationRequest, required_acr: str) -> Response:
    return browser.see_other(f"/login/{login_start.start(asked, required_acr).ticket.id}")


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
        raise way_back.page_error("invalid_request", Reason.TOO_LARGE, "the request is too long")
    return browser.see_other(f"/oauth/authorize?{query}")
