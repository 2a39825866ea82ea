"""The way back to the relying party: found before anything may be sent there, then taken once.

Until the client and its redirect URI are checked, nothing is redirected (R-002): the person sees a page
of ours. After that, every answer, good or bad, in whatever mode, is written by `answer`: with `iss`
(RFC 9207 §2) and the party's `state`, octet for octet; in the modes of JARM inside one signed token.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template

from idp import browser, rates
from idp.contracts import Use
from idp.errors import RequestError
from idp.events import Event, Kind, Reason
from idp.login import AuthorizationRequest
from idp.oidc.parameters import Parameters
from idp.registration import RESPONSE_MODES
from idp.relying_parties import RelyingParty
from idp.services import services

MAX_STATE = 2048
JARM_TYP = "JWT"
JARM_LIFE_S = 300  # at most 600 (JARM §2.1)
_JWT = ".jwt"
# RFC 8252 §7.3: where a program on the person's own machine listens, on whatever port is free.
_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?(?P<rest>/[^#]*|)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where and how an answer goes; every part of it has been checked."""

    redirect_uri: str
    response_mode: str
    state: str | None
    party: RelyingParty


def client(parameters: Parameters) -> RelyingParty:
    """Who asks. Unknown and disabled look alike from outside (A-006); the event tells which."""
    client_id = parameters.get("client_id", "")
    party = services().relying_parties.get(client_id)
    if party is not None and not party.disabled:
        if "authorization_code" in party.grant_types:
            return party
        raise page_error(
            "unauthorized_client", Reason.GRANT_TYPE, "not for authorization_code", party
        )
    error = page_error("invalid_request", Reason.CLIENT_UNKNOWN)
    if party is not None:
        _record_disabled(party)
        error.recorded = True
    raise error


def find(parameters: Parameters, party: RelyingParty) -> WayBack:
    """The way back that a request names. RequestError, for a page of ours, when it names none."""
    redirect_uri = _registered_uri(parameters, party)  # 1. redirect_uri
    mode = _response_mode(parameters, party)  # 2. response_mode
    return WayBack(redirect_uri, mode, _state(parameters, party), party)  # 3. state


def of_request(request: AuthorizationRequest) -> WayBack:
    """The same for a request that was checked before: the register may have changed since."""
    parameters = {"client_id": request.client_id, "redirect_uri": request.redirect_uri}
    party = client(parameters)
    uri = _registered_uri(parameters, party)
    return WayBack(uri, request.response_mode, request.state, party)


def answer(way: WayBack, fields: dict[str, str]) -> Response:
    """The authorization response (OIDC Core §3.1.2.5; Form Post Response Mode §2; JARM §2)."""
    issuer = services().settings.issuer
    state = {} if way.state is None else {"state": way.state}
    fields = {**fields, **state, "iss": issuer}
    mode = way.response_mode
    if mode == "jwt" or mode.endswith(_JWT):
        fields = {"response": _signed(way.party, fields)}
        mode = "query" if mode == "jwt" else mode.removesuffix(_JWT)  # JARM §2.3.4: of `code`
    if mode == "form_post":
        browser.allow_form_target(way.redirect_uri)
        html = render_template("form_post.html", action=way.redirect_uri, fields=fields)
        response = make_response(html)
        response.headers["Cache-Control"] = "no-store"
        return response
    mark = "#" if mode == "fragment" else "&" if "?" in way.redirect_uri else "?"
    return browser.see_other(f"{way.redirect_uri}{mark}{urlencode(fields)}")


def _signed(party: RelyingParty, fields: dict[str, str]) -> str:
    """One token in place of the parameters (JARM §2.1). It has no `sub`, so it is no ID token."""
    parts = services()
    claims: dict[str, Any] = {
        **fields,
        "aud": party.client_id,
        "exp": int(parts.now().timestamp()) + JARM_LIFE_S,
    }
    algorithm = party.authorization_signed_response_alg or party.id_token_signed_response_alg
    return parts.keys.sign(claims, JARM_TYP, Use.OIDC, algorithm)


def refusal(way: WayBack, error: RequestError, journey: str = "") -> Response:
    """The error response (OIDC Core §3.1.2.6), after its event."""
    too_many = rates.of_refusal(error)
    if too_many is not error:
        raise too_many
    services().journal.record_alone(
        Event(
            Kind.AUTHORIZATION_REFUSED,
            reason=error.reason,
            journey=journey,
            relying_party=way.party.client_id,
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
    if is_registered(uri, party.redirect_uris, party):
        return uri
    raise page_error(
        "invalid_request", Reason.REDIRECT_URI, "redirect_uri is not registered", party
    )


def is_registered(uri: str, known: tuple[str, ...], party: RelyingParty) -> bool:
    """Whether an address of this party is among those it registered, for the way back or for after logout."""
    return uri in known or (party.profile == "public" and _without_port(uri) in known)


def _without_port(uri: str) -> str:
    """A native program's own address as it is registered: any port of it is let in (R-001)."""
    found = _LOOPBACK.fullmatch(uri)
    return f"{found['host']}{found['rest']}" if found else uri


def _response_mode(parameters: Parameters, party: RelyingParty) -> str:
    """The mode. An unknown one has no way back; one that is not the party's is refused by one that is."""
    mode = parameters.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise page_error("invalid_request", Reason.RESPONSE_MODE, "response_mode is unknown", party)
    return mode if mode in party.response_modes else party.response_modes[0]


def _state(parameters: Parameters, party: RelyingParty) -> str | None:
    """Echoed whole or refused, never cut (A-039): what cannot be echoed has no way back."""
    state = parameters.get("state")
    if state is not None and len(state) > MAX_STATE:
        raise page_error("invalid_request", Reason.TOO_LARGE, "state is too long", party)
    return state


def page_error(
    code: str, reason: Reason, public: str = "", party: RelyingParty | None = None
) -> RequestError:
    """An error that the person alone is told, or who pushes: there is no way back (R-002)."""
    error = RequestError(code, public, reason=reason)
    error.relying_party = party.client_id if party else ""
    return error
