"""From a grant to a token response: the code, once (RFC 6749 §4.1.3), and a program for itself (§4.4)."""

import hmac
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from idp import assurance, browser
from idp.errors import AccessDenied, RequestError
from idp.events import Event, Kind, Reason
from idp.oidc import codes, gate, minting, refresh, resources
from idp.oidc.codes import Code
from idp.oidc.minting import Sitting
from idp.oidc.parameters import Parameters
from idp.oidc.token_answers import invalid_grant, of_access_token, record_issued
from idp.relying_parties import RelyingParty
from idp.services import services

MIN_VERIFIER, MAX_VERIFIER = 43, 128
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def by_code(given: Parameters, party: RelyingParty, binding: str) -> dict[str, Any]:
    """The answer to a code. It is burned by its first use, right or wrong (A-050 to A-057)."""
    value = given.get("code")
    if value is None:
        raise RequestError("invalid_request", "code is missing")
    taken = codes.take(value)  # 1. known, and used up from here on
    if taken is None:
        raise invalid_grant(Reason.GRANT_UNKNOWN, party)
    _check(taken.code, given, party, binding)  # 2. the same client, redirect_uri, verifier, key
    if not taken.first:  # 3. never used before
        raise _replayed(taken.code, party)
    audience = resources.audience(given, taken.code.resource)  # 4. for what was granted
    sitting = _sitting(taken.code, party)  # 5. the person may still act
    sitting = replace(sitting, binding=binding, audience=audience)
    access = minting.access_token(sitting)
    answer = {
        **of_access_token(access, sitting.scope, binding),
        "id_token": minting.id_token(sitting, taken.code.nonce, access),
    }
    if refresh.is_granted(sitting):
        answer["refresh_token"] = refresh.begin(sitting)
    record_issued(party, sitting)
    return answer


def by_client(given: Parameters, party: RelyingParty, binding: str) -> dict[str, Any]:
    """A token for a program of its own right: only `gongmu:` scopes, only its audience."""
    allowed = tuple(name for name in party.scope if name.startswith("gongmu:"))
    wanted = tuple(dict.fromkeys(given["scope"].split(" "))) if "scope" in given else allowed
    if not wanted or not set(wanted) <= set(allowed):
        raise RequestError("invalid_scope", "a scope is not registered", reason=Reason.SCOPE)
    audience = resources.audience(given, party.resources, party.audience)
    token = minting.client_token(party, wanted, audience=audience, binding=binding)
    record_issued(party)
    return of_access_token(token, wanted, binding)


def _check(code: Code, given: Parameters, party: RelyingParty, binding: str) -> None:
    if code.client_id != party.client_id:
        raise invalid_grant(Reason.GRANT_CLIENT, party)
    if given.get("redirect_uri") != code.redirect_uri:
        raise invalid_grant(Reason.REDIRECT_URI, party)
    _check_verifier(code.code_challenge, given.get("code_verifier"), party)
    if not code.code_challenge and party.profile != "oidc":  # D-2: whatever let it come this far
        raise invalid_grant(Reason.PKCE, party)
    if code.dpop_jkt and binding != f"jkt:{code.dpop_jkt}":  # RFC 9449 §10, A-071
        raise invalid_grant(Reason.SENDER_KEY, party)


def _check_verifier(challenge: str, verifier: str | None, party: RelyingParty) -> None:
    """RFC 7636 §4.6; a verifier where no challenge was is refused as well (RFC 9700 §4.8.2)."""
    if not challenge and verifier is None:
        return
    fits = (
        verifier is not None
        and MIN_VERIFIER <= len(verifier) <= MAX_VERIFIER
        and _UNRESERVED.issuperset(verifier)
    )
    made = create_s256_code_challenge(verifier) if fits else ""
    if not challenge or not hmac.compare_digest(made, challenge):
        raise invalid_grant(Reason.PKCE, party)


def _replayed(code: Code, party: RelyingParty) -> RequestError:
    """A good request with a spent code: someone else has the code, so every token of it dies (A-050)."""
    error = invalid_grant(Reason.GRANT_REPLAYED, party)
    services().sessions.end_grant(
        code.grant,
        Event(
            Kind.CODE_REPLAYED,
            reason=Reason.GRANT_REPLAYED,
            relying_party=party.client_id,
            session=code.session,
            address=browser.address(),
            network=browser.network(),
        ),
    )
    error.recorded = True
    return error


def _sitting(code: Code, party: RelyingParty) -> Sitting:
    """The grant and session behind a code, alive, and the person, passed by the gate (A-057).

    A replay at this very moment ends the grant, not this answer: the tokens in it are dead at their
    first use, and of any number of racing requests exactly one is answered (I-2).
    """
    sessions = services().sessions
    found = sessions.live_grant(code.grant, overlooked=Reason.GRANT_REPLAYED)
    if found is None:  # the person signed out, or took back what they agreed to
        over = sessions.get(code.session) is None
        raise invalid_grant(Reason.SESSION_OVER if over else Reason.GRANT_ENDED, party)
    _, session = found
    if not assurance.reaches(session.acr, party.minimum_acr):  # raised since the code was made
        raise invalid_grant(Reason.ACR_UNMET, party)
    try:
        official = gate.admit(session, party)
    except AccessDenied as error:
        raise invalid_grant(error.reason, party) from error
    return Sitting(party, session, official, code.grant, code.scope, claims=code.claims)
