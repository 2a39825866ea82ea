"""The way back to the relying party: found before anything may be sent there, then taken once.

Until the client and its redirect URI are checked, nothing is redirected (R-002): the person sees a page
of ours. After that, every answer, good or bad, goes back with `iss` (RFC 9207 §2) and the party's
`state`, octet for octet.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, make_response, render_template

from idp import browser
from idp.errors import RequestError
from idp.events import Event, Kind, Reason
from idp.login import AuthorizationRequest
from idp.oidc.parameters import Parameters
from idp.registration import RESPONSE_MODES
from idp.relying_parties import RelyingParty
from idp.services import services

MAX_STATE = 2048


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where and how an answer goes; every part of it has been checked."""

    redirect_uri: str
    response_mode: str
    state: str | None


def find(parameters: Parameters) -> tuple[RelyingParty, WayBack]:
    """The relying party, and the way back to it. RequestError, for a page of ours, otherwise."""
    party = _known_client(parameters)  # 1. client_id
    redirect_uri = _registered_uri(parameters, party)  # 2. redirect_uri
    mode = _response_mode(parameters, party)  # 3. response_mode
    state = _state(parameters)  # 4. state
    return party, WayBack(redirect_uri, mode, state)


def of_request(request: AuthorizationRequest) -> tuple[RelyingParty, WayBack]:
    """The same for a request that was checked before: the register may have changed since."""
    parameters = {"client_id": request.client_id, "redirect_uri": request.redirect_uri}
    party = _known_client(parameters)
    uri = _registered_uri(parameters, party)
    return party, WayBack(uri, request.response_mode, request.state)


def answer(way: WayBack, fields: dict[str, str]) -> Response:
    """The authorization response (OIDC Core §3.1.2.5; Form Post Response Mode §2)."""
    state = {} if way.state is None else {"state": way.state}
    fields = {**fields, **state, "iss": services().settings.issuer}
    if way.response_mode == "form_post":
        browser.allow_form_target(way.redirect_uri)
        html = render_template("form_post.html", action=way.redirect_uri, fields=fields)
        response = make_response(html)
        response.headers["Cache-Control"] = "no-store"
        return response
    mark = "#" if way.response_mode == "fragment" else "&" if "?" in way.redirect_uri else "?"
    return browser.see_other(f"{way.redirect_uri}{mark}{urlencode(fields)}")


def refusal(way: WayBack, party: RelyingParty, error: RequestError, journey: str = "") -> Response:
    """The error response (OIDC Core §3.1.2.6), after its event."""
    services().journal.record_alone(
        Event(
            Kind.AUTHORIZATION_REFUSED,
            reason=error.reason,
            journey=journey,
            relying_party=party.client_id,
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
        )
    )
    fields = {"error": error.code}
    if error.public:
        fields["error_description"] = error.public
    return answer(way, fields)


def refused(code: str, public: str, reason: Reason = Reason.BAD_REQUEST) -> RequestError:
    """An error that goes back to the relying party; only to be raised once the way back is known."""
    return RequestError(code, public, reason=reason, may_redirect=True)


def _known_client(parameters: Parameters) -> RelyingParty:
    """The client. Unknown and disabled look alike from outside (A-006); the event tells which."""
    client_id = parameters.get("client_id", "")
    party = services().relying_parties.get(client_id)
    if party is not None and not party.disabled:
        if "authorization_code" in party.grant_types:
            return party
        raise _page_error("unauthorized_client", Reason.GRANT_TYPE, party)
    error = _page_error("invalid_request", Reason.CLIENT_UNKNOWN)
    if party is not None:
        _record_disabled(party)
        error.recorded = True
    raise error


def _record_disabled(party: RelyingParty) -> None:
    services().journal.record_alone(
        Event(
            Kind.AUTHORIZATION_REFUSED,
            reason=Reason.CLIENT_DISABLED,
            relying_party=party.client_id,
            address=browser.address(),
            network=browser.network(),
        )
    )


def _registered_uri(parameters: Parameters, party: RelyingParty) -> str:
    """Required, and equal to a registered one character by character (RFC 9700 §2.1)."""
    uri = parameters.get("redirect_uri", "")
    if uri not in party.redirect_uris:
        raise _page_error("invalid_request", Reason.REDIRECT_URI, party)
    return uri


def _response_mode(parameters: Parameters, party: RelyingParty) -> str:
    """The mode. An unknown one has no way back; one that is not the party's is refused by one that is."""
    mode = parameters.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise _page_error("invalid_request", Reason.RESPONSE_MODE, party)
    return mode if mode in party.response_modes else party.response_modes[0]


def _state(parameters: Parameters) -> str | None:
    """Echoed whole or refused, never cut (A-039): what cannot be echoed has no way back."""
    state = parameters.get("state")
    if state is not None and len(state) > MAX_STATE:
        raise _page_error("invalid_request", Reason.TOO_LARGE)
    return state


def _page_error(code: str, reason: Reason, party: RelyingParty | None = None) -> RequestError:
    error = RequestError(code, reason=reason)
    error.relying_party = party.client_id if party else ""
    return error
