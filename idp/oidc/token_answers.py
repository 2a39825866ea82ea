"""What all grants share: the members of a token response, the one error, the event."""

from typing import Any

from idp import browser
from idp.errors import RequestError
from idp.events import Event, Kind, Reason
from idp.oidc import minting
from idp.oidc.minting import Sitting
from idp.relying_parties import RelyingParty
from idp.services import services


def of_access_token(token: str, scope: tuple[str, ...], binding: str = "") -> dict[str, Any]:
    """The members every token response has (RFC 6749 §5.1)."""
    return {
        "access_token": token,
        "token_type": minting.token_type(binding),
        "expires_in": services().settings.lifetimes.access_token_s,
        "scope": " ".join(scope),
    }


def invalid_grant(reason: Reason, party: RelyingParty) -> RequestError:
    """One error for whatever is wrong with a grant; the event says what."""
    error = RequestError("invalid_grant", "the grant does not count", reason=reason)
    error.relying_party = party.client_id
    return error


def record_issued(party: RelyingParty, sitting: Sitting | None = None) -> None:
    """The event of tokens that go out; written first, or they do not."""
    session = sitting.session if sitting else None
    services().journal.record_alone(
        Event(
            Kind.TOKEN_ISSUED,
            relying_party=party.client_id,
            journey=session.journey if session else "",
            subject=session.subject if session else "",
            session=session.id if session else "",
            acr=session.acr if session else "",
            address=browser.address(),
            network=browser.network(),
        )
    )
