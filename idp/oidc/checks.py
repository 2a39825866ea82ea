"""The checks of an authorization request, one function each, in the order of OIDC Core §3.1.2.1.

They run once the way back is known, so each refusal is told to the relying party.
"""

import re
from dataclasses import replace

from idp import assurance
from idp.conf import ACR_ORDER
from idp.events import Reason
from idp.login import AuthorizationRequest, digest
from idp.oidc import claims_parameter, hints
from idp.oidc.claims_parameter import AskedClaims
from idp.oidc.parameters import Parameters
from idp.oidc.way_back import WayBack, refused
from idp.relying_parties import RelyingParty
from idp.services import services

MAX_NONCE = 512
MAX_LOGINS_OF_CHALLENGE = 2  # the third request with one challenge is refused
CHALLENGE_WINDOW_S = 600
MAX_HINT = 256
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
LANGUAGES = ("ko", "en")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # base64url of SHA-256 (RFC 7636 §4.2)
_MAX_AGE = re.compile(r"[0-9]{1,9}", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # RFC 7638 with SHA-256


def check(parameters: Parameters, way: WayBack) -> AuthorizationRequest:
    """The request, typed and allowed. RequestError(may_redirect) with the first thing that is not."""
    party = way.party
    _nothing_nested(parameters)  # 1. request, request_uri, registration
    _response_type(parameters)  # 2. response_type
    _response_mode(parameters, party)  # 3. response_mode is one of the party's
    asked = claims_parameter.read(parameters)  # 4. claims
    request = AuthorizationRequest(
        client_id=party.client_id,
        redirect_uri=way.redirect_uri,
        response_mode=way.response_mode,
        state=way.state,
        scope=_scope(parameters, party),  # 5. scope
        code_challenge=_code_challenge(parameters, party),  # 6. PKCE
        nonce=_nonce(parameters, party),  # 7. nonce
        prompt=_prompt(parameters),  # 8. prompt
        max_age=_max_age(parameters, party),  # 9. max_age
        acr_values=_acr_values(parameters, asked),  # 10. acr_values
        login_hint=_login_hint(parameters),  # 11. login_hint
        ui_locales=_ui_locales(parameters),  # 12. ui_locales
        hint_sub=asked.sub,
        claims=asked.text,
        resource=_resource(parameters, party),  # 13. resource
        dpop_jkt=_dpop_jkt(parameters),  # 14. dpop_jkt
    )
    return replace(request, hint_sub=hints.wanted_sub(parameters, request))  # 15. id_token_hint


def must_be_pushed(party: RelyingParty) -> bool:
    """Whether its requests must come by `/oauth/par` (FAPI 2.0 §5.3.2.2, RFC 9126 §6)."""
    return party.profile == "fapi2" or party.require_pushed_authorization_requests


def required_acr(request: AuthorizationRequest, party: RelyingParty) -> str:
    """The least strength that will do: the party's minimum, raised by what the request asks.

    `acr_values` lists what the party would take, in its order of liking; any of them will do, so the
    weakest listed is what it needs (OIDC Core §3.1.2.1, RFC 9470 §4). It never lowers the minimum.
    """
    weakest = min(request.acr_values, key=assurance.strength, default=party.minimum_acr)
    return max(party.minimum_acr, weakest, key=assurance.strength)


def refuse_constant_challenge(asked: AuthorizationRequest) -> None:
    """What comes again and again binds nothing (RFC 9700 §2.1.1, A-026): the challenge, else the nonce."""
    binds = asked.code_challenge or asked.nonce or ""
    key = f"challenge:{digest(f'{asked.client_id} {binds}')}"
    if services().short.count(key, CHALLENGE_WINDOW_S) > MAX_LOGINS_OF_CHALLENGE:
        name = "code_challenge" if asked.code_challenge else "nonce"
        raise refused("invalid_request", f"{name} was used before", Reason.PKCE_REUSE)


def _nothing_nested(parameters: Parameters) -> None:
    """A request holds no other request (RFC 9101 §4, RFC 9126 §2.1; A-021); none registers a client."""
    if "request" in parameters or "request_uri" in parameters:
        raise refused("invalid_request", "a request within a request", Reason.REQUEST_OBJECT)
    if "registration" in parameters:  # OIDC Core §7.2.1: refused by its name, never ignored
        raise refused("registration_not_supported", "registration is not supported")


def _response_type(parameters: Parameters) -> None:
    """Only `code`: no token ever stands in an authorization response (R-005)."""
    value = parameters.get("response_type")
    if value is None:
        raise refused("invalid_request", "response_type is missing", Reason.RESPONSE_TYPE)
    if value != "code":
        raise refused(
            "unsupported_response_type", "response_type must be code", Reason.RESPONSE_TYPE
        )


def _response_mode(parameters: Parameters, party: RelyingParty) -> None:
    if parameters.get("response_mode", "query") not in party.response_modes:
        raise refused("invalid_request", "response_mode is not registered", Reason.RESPONSE_MODE)


def _scope(parameters: Parameters, party: RelyingParty) -> tuple[str, ...]:
    """With openid; unknown and not registered names are refused, so that nobody believes to have them."""
    names = tuple(dict.fromkeys(parameters.get("scope", "").split(" ")))
    if "openid" not in names:
        raise refused("invalid_scope", "scope must contain openid", Reason.SCOPE)
    if not set(names) <= set(party.scope) or any(name.startswith("gongmu:") for name in names):
        raise refused("invalid_scope", "a scope is unknown or not registered", Reason.SCOPE)
    return names


def _code_challenge(parameters: Parameters, party: RelyingParty) -> str:
    """S256 and nothing else (RFC 9700 §2.1.1); a party that cannot is exempt by name (D-2)."""
    challenge = parameters.get("code_challenge", "")
    method = parameters.get("code_challenge_method", "")
    if not challenge and not method and not _needs_pkce(party):
        return ""
    if not challenge:
        raise refused("invalid_request", "code_challenge is missing", Reason.PKCE)
    if method != "S256":  # missing means plain (RFC 7636 §4.3)
        raise refused("invalid_request", "code_challenge_method must be S256", Reason.PKCE)
    if not _CHALLENGE.fullmatch(challenge):
        raise refused("invalid_request", "code_challenge is not one of S256", Reason.PKCE)
    return challenge


def _needs_pkce(party: RelyingParty) -> bool:
    """The exemption is for `oidc` alone: the other profiles hold whatever else is registered (D-2)."""
    return party.pkce_required or party.profile != "oidc"


def _nonce(parameters: Parameters, party: RelyingParty) -> str | None:
    """Kept whole or refused; needed where PKCE is not (RFC 9700 §2.1.1)."""
    nonce = parameters.get("nonce")
    if nonce is not None and len(nonce) > MAX_NONCE:
        raise refused("invalid_request", "nonce is too long", Reason.TOO_LARGE)
    if nonce is None and not _needs_pkce(party) and "code_challenge" not in parameters:
        raise refused("invalid_request", "nonce is missing", Reason.PKCE)
    return nonce


def _prompt(parameters: Parameters) -> tuple[str, ...]:
    prompts = (
        tuple(dict.fromkeys(parameters["prompt"].split(" "))) if "prompt" in parameters else ()
    )
    if not set(prompts) <= PROMPTS:
        raise refused("invalid_request", "prompt has an unknown value", Reason.PROMPT)
    if "none" in prompts and len(prompts) > 1:
        raise refused("invalid_request", "prompt none stands alone", Reason.PROMPT)
    return prompts


def _max_age(parameters: Parameters, party: RelyingParty) -> int | None:
    text = parameters.get("max_age")
    if text is None:
        return party.default_max_age  # OIDC Registration §2
    if not _MAX_AGE.fullmatch(text):
        raise refused("invalid_request", "max_age must be a whole number of seconds")
    return int(text)


def _acr_values(parameters: Parameters, asked: AskedClaims) -> tuple[str, ...]:
    """Those we know; others are a wish we cannot read and do not fail on (OIDC Core §5.5.1.1).

    Values in the claims parameter count like these. Where both are given, those that ask for more do.
    """
    wished = parameters.get("acr_values", "").split(" ")
    known = tuple(value for value in dict.fromkeys(wished) if value in ACR_ORDER)
    if asked.acr and not (known and _weakest(known) > _weakest(asked.acr)):
        return asked.acr
    return known


def _weakest(values: tuple[str, ...]) -> int:
    return min(map(assurance.strength, values))


def _login_hint(parameters: Parameters) -> str:
    """Only ever shown, and never used to look anyone up (A-035)."""
    hint = parameters.get("login_hint", "")
    if len(hint) > MAX_HINT:
        raise refused("invalid_request", "login_hint is too long", Reason.TOO_LARGE)
    return hint


def _ui_locales(parameters: Parameters) -> tuple[str, ...]:
    """The languages we speak, in the order wished; nothing else of it is kept (A-036)."""
    wished = [tag.partition("-")[0].lower() for tag in parameters.get("ui_locales", "").split(" ")]
    return tuple(tag for tag in dict.fromkeys(wished[:20]) if tag in LANGUAGES)


def _resource(parameters: Parameters, party: RelyingParty) -> tuple[str, ...]:
    """Where the tokens are to be used: only what is registered for the party (RFC 8707 §2)."""
    if "resource" not in parameters:
        return ()
    wished = tuple(dict.fromkeys(parameters["resource"].split(" ")))
    if not set(wished) <= set(party.resources):
        raise refused("invalid_target", "a resource is not registered", Reason.RESOURCE)
    return wished


def _dpop_jkt(parameters: Parameters) -> str:
    """The key that alone may redeem the code (RFC 9449 §10)."""
    thumbprint = parameters.get("dpop_jkt", "")
    if thumbprint and not _THUMBPRINT.fullmatch(thumbprint):
        raise refused("invalid_request", "dpop_jkt is not a SHA-256 thumbprint")
    return thumbprint
