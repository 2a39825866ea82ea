"""`/oauth/logout`: a relying party asks that the person be signed out (OIDC RP-Initiated Logout 1.0).

An ID token of ours says who asks and for which session. It ends that session without a question; an
expired one does so only while its session lives, and counts for nothing afterwards. Without one the
person is asked. Whoever registered for it is told through the signed-out page (Front-Channel Logout).
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import get_locale

from idp import browser, jws
from idp.errors import RequestError
from idp.events import Reason
from idp.oidc import hints, parameters
from idp.oidc.hints import IdTokenHint
from idp.oidc.parameters import Parameters
from idp.oidc.subjects import sub_of
from idp.oidc.way_back import MAX_STATE, is_registered
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session
from idp.signals import frontchannel

blueprint = Blueprint("logout", __name__)
PURPOSE = "logout"
_FIELDS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A checked request: who asks, for which session, and where the browser goes afterwards."""

    party: RelyingParty | None
    hint: IdTokenHint | None
    return_url: str  # "" for our own page
    fields: dict[str, str]


@blueprint.route("/oauth/logout", methods=["GET", "POST"])
def logout() -> Response:
    """Ends the session of this browser: at once for the session's own hint, else after asking."""
    given = parameters.of_request()
    asked = _asked(given)
    if "csrf" in given:  # the answer of our own page
        browser.check_csrf(PURPOSE)
        return _end(asked, browser.current_session())
    if request.method == "POST" and not _session_came():
        return _by_get(asked)
    session = browser.current_session()
    if session is None:
        return _done(asked)
    if asked.hint is not None and asked.party is not None:
        if asked.hint.sub != sub_of(asked.party, session.subject):
            raise _refused(Reason.ID_TOKEN_HINT, asked.party)  # another person's
        if services().sessions.heir(asked.hint.sid) == session.id:
            return _end(asked, session)
    return _confirm(asked)  # anyone may have made this link


def _asked(given: Parameters) -> _Asked:
    hint = _hint(given)  # 1. id_token_hint
    party = _party(given, hint)  # 2. client_id
    if hint is not None and _is_stale(hint):
        hint = None
        if "client_id" not in given:  # nobody vouches for the address: it is not followed
            return _Asked(None, None, "", {})
    uri = _return_uri(given, party)  # 3. post_logout_redirect_uri
    state = given.get("state")  # 4. state
    if state is not None and len(state) > MAX_STATE:
        raise _refused(Reason.TOO_LARGE, party)
    if uri and state is not None:
        uri += ("&" if "?" in uri else "?") + urlencode({"state": state})
    return _Asked(party, hint, uri, {name: given[name] for name in _FIELDS if name in given})


def _hint(given: Parameters) -> IdTokenHint | None:
    if "id_token_hint" not in given:
        return None
    try:
        return hints.read(given["id_token_hint"])
    except jws.NotGenuine as error:
        raise _refused(Reason.ID_TOKEN_HINT) from error


def _is_stale(hint: IdTokenHint) -> bool:
    """Expired, and its session is over as well: it says nothing about now (§2)."""
    parts = services()
    return parts.now().timestamp() >= hint.expires_at and not parts.sessions.heir(hint.sid)


def _party(given: Parameters, hint: IdTokenHint | None) -> RelyingParty | None:
    """The client that asks; named by the hint, by `client_id`, or by both alike (§2)."""
    named = given.get("client_id", hint.client_id if hint else "")
    if hint is not None and hint.client_id != named:
        raise _refused(Reason.ID_TOKEN_HINT)
    party = services().relying_parties.get(named) if named else None
    if named and (party is None or party.disabled):
        raise _refused(Reason.CLIENT_UNKNOWN)
    return party


def _return_uri(given: Parameters, party: RelyingParty | None) -> str:
    """Equal to one that this client has registered (§3), or there is none."""
    uri = given.get("post_logout_redirect_uri", "")
    if uri and (party is None or not is_registered(uri, party.post_logout_redirect_uris, party)):
        raise _refused(Reason.REDIRECT_URI, party)
    return uri


def _confirm(asked: _Asked) -> Response:
    if asked.return_url:
        browser.allow_form_target(asked.return_url)
    return _page(render_template("logout_confirm.html", fields=asked.fields))


def _end(asked: _Asked, session: Session | None) -> Response:
    browser.set_session_cookie("")
    if session is None:
        return _done(asked)
    parts = services()
    parts.sessions.end(session.id, Reason.BY_PERSON)
    frames = frontchannel.addresses(parts.engine, parts.settings.issuer, session.id)
    return _signed_out(asked, frames) if frames else _done(asked)


def _done(asked: _Asked) -> Response:
    return browser.see_other(asked.return_url) if asked.return_url else _signed_out(asked, [])


def _signed_out(asked: _Asked, frames: list[str]) -> Response:
    browser.allow_frames(frames)
    locale = get_locale()
    english = locale is not None and locale.language == "en"
    name = (asked.party.name_en if english else asked.party.name_ko) if asked.party else ""
    return _page(
        render_template(
            "signed_out.html", relying_party=name, return_url=asked.return_url, frames=frames
        )
    )


def _session_came() -> bool:
    return browser.cookie_name(services().settings, "session") in request.cookies


def _by_get(asked: _Asked) -> Response:
    """The same by GET, which brings the session's cookie (SameSite=Lax) from another site too."""
    return browser.see_other(f"/oauth/logout?{urlencode(asked.fields)}")


def _page(html: str) -> Response:
    response = make_response(html)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(reason: Reason, party: RelyingParty | None = None) -> RequestError:
    error = RequestError("invalid_request", reason=reason)
    error.relying_party = party.client_id if party else ""
    return error
