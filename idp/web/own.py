"""The session behind the pages of one's own account, and the sign-in that gives one."""

from flask import Response, make_response, render_template

from idp import browser, login_start
from idp.cutoff import gate
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.people import must_be_active
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction

_PAGES = {
    "account": "/account",
    "passkeys": "/account/passkeys",
    "new": "/account/passkeys/new",
}


def session() -> Session:
    """My session, when I may act now. UnauthorizedError, AccessDenied."""
    found = browser.current_session()
    if found is None:
        raise UnauthorizedError("login_required", reason=Reason.LOGIN_REQUIRED)
    parts = services()
    max_age_s = parts.settings.lifetimes.directory_state_s
    must_be_active(parts.people.current(found.source, found.personnel_number, max_age_s))
    with transaction(parts.engine) as connection:
        gate(connection, found.subject, found.authenticated_at)
    return found


def closed(next_page: str) -> Response:
    """To whom is not signed in: how to."""
    return make_response(render_template("account_closed.html", next_page=next_page), 401)


def start_login(next_page: str, required_acr: str) -> str:
    """The address of a new login that no relying party asked for; it ends at a page of ours."""
    return login_start.start_for_page(_PAGES.get(next_page, _PAGES["account"]), required_acr)
