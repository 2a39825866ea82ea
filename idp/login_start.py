"""How a login starts: counted for its address, bound to its browser, with what a phone is told of the desk."""

from idp import browser, rates
from idp.login import AuthorizationRequest, Started
from idp.services import services


def start(asked: AuthorizationRequest, required_acr: str, own_page: str = "") -> Started:
    """A login that holds the request. RequestError (429) when its address starts too many."""
    rates.must_fit("logins")
    return services().logins.start(
        asked,
        browser.browser_hash(),
        required_acr,
        device=browser.device(),
        address=browser.address(),
        network=browser.network(),
        own_page=own_page,
    )


def start_for_page(own_page: str, required_acr: str, client_id: str = "") -> str:
    """The address of a login that leads on to a page of ours, not back to a relying party."""
    asked = AuthorizationRequest(
        client_id=client_id,
        redirect_uri="",
        response_mode="query",
        scope=(),
        state=None,
        nonce=None,
        code_challenge="",
    )
    return f"/login/{start(asked, required_acr, own_page).ticket.id}"
