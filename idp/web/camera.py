"""Where a plain camera lands that reads an https QR or offer on a phone without a wallet of ours.

`/wallet/present` and `/wallet/receive` belong to the reference wallet; where it is switched off these
pages stand there instead. They say which app to use and offer to open it. Nothing is fetched: the
request in the link stays unread, so the desk goes on waiting for the real wallet.
"""

from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request

from idp.conf import Wallet
from idp.services import services
from idp.web import qr_page

blueprint = Blueprint("camera", __name__)
_PRESENT = ("client_id", "request_uri", "request_uri_method")
_RECEIVE = ("credential_offer_uri",)


def is_needed() -> bool:
    """Whether no site stands at these addresses."""
    sites = services().sites.values()
    return not any(prefix.startswith("/wallet") for site in sites for prefix in site.prefixes)


@blueprint.get("/wallet/present")
def present() -> Response:
    """A sign-in's QR, opened in a browser."""
    fields = _fields(_PRESENT, "request_uri", "/vp/")
    return _page("present", [(wallet, wallet.present_prefix) for wallet in _wallets()], fields)


@blueprint.get("/wallet/receive")
def receive() -> Response:
    """An offer of a mobile ID, opened in a browser."""
    fields = _fields(_RECEIVE, "credential_offer_uri", "/issuer/")
    return _page("receive", [(wallet, wallet.receive_prefix) for wallet in _wallets()], fields)


def _wallets() -> tuple[Wallet, ...]:
    return services().settings.wallets


def _page(purpose: str, links: list[tuple[Wallet, str]], fields: dict[str, str]) -> Response:
    """The page; links only for apps, and only for a request that is ours."""
    own = f"{services().settings.issuer}/"
    opened = [
        {"name": qr_page.localized_name(wallet), "href": f"{prefix}{urlencode(fields)}"}
        for wallet, prefix in links
        if fields and not prefix.startswith(own)
    ]
    return make_response(render_template("camera.html", purpose=purpose, wallets=opened))


def _fields(names: tuple[str, ...], address: str, path: str) -> dict[str, str]:
    """The link's own parameters, when they are whole and lead to us; else nothing (A-114)."""
    given = request.args.to_dict(flat=False)
    whole = set(given) == set(names) and all(len(values) == 1 for values in given.values())
    if not whole or not given[address][0].startswith(services().settings.issuer + path):
        return {}
    return {name: given[name][0] for name in names}
