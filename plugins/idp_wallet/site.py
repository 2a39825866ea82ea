"""The pages under `/wallet`, and the two things a phone's browser cannot do by itself.

`/wallet/verify` checks who signed a request; `/wallet/read-qr` finds the link in a picture. Both
only compute: they keep nothing, change nothing, and learn no card. Keys and cards stay in the browser.
"""

from collections.abc import Callable, Mapping
from threading import BoundedSemaphore
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask_babel import get_locale

from idp.contracts import SiteKit
from idp_wallet import picture
from idp_wallet.chain import Anchors
from idp_wallet.encoding import parse_object
from idp_wallet.faults import LinkUnreadable, RequestUntrusted, Unreachable, WalletStopped
from idp_wallet.links import PresentationLink
from idp_wallet.request import MAX_REQUEST, Request, verify_request

MAX_VERIFY = MAX_REQUEST + 16 * 1024
_PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})


def make_blueprint(kit: SiteKit, anchors: Callable[[], Anchors]) -> Blueprint:
    """The wallet's pages and helpers; rules are whole paths."""
    blueprint = Blueprint("wallet", __name__)
    readers = BoundedSemaphore(2)  # pictures cost much more than any page: a few at a time

    @blueprint.get("/wallet")
    def cards() -> Response:
        return _page(kit, "cards")

    @blueprint.get("/wallet/receive")
    def receive() -> Response:
        return _page(kit, "receive")

    @blueprint.get("/wallet/present")
    def present() -> Response:
        return _page(kit, "present")

    @blueprint.post("/wallet/verify")
    def verify() -> Response:
        request.max_content_length = MAX_VERIFY
        _check_same_site()
        asked = _question()
        link = PresentationLink(asked["client_id"], "", by_post=bool(asked["wallet_nonce"]))
        found = verify_request(
            asked["request_object"], link, asked["wallet_nonce"], anchors(), kit.now()
        )
        return jsonify(_facts(found))

    @blueprint.post("/wallet/read-qr")
    def read_qr() -> Response:
        request.max_content_length = picture.MAX_BYTES
        _check_same_site()
        if request.mimetype not in _PICTURE_TYPES:
            raise LinkUnreadable("A picture is expected (PNG, JPEG, WebP).")
        raw = request.get_data(cache=False)
        if not readers.acquire(timeout=2):
            raise Unreachable("Too many pictures at once. Try again.")
        try:
            return jsonify({"link": picture.read_qr(raw)})
        finally:
            readers.release()

    blueprint.register_error_handler(WalletStopped, _stopped)
    return blueprint


def _page(kit: SiteKit, name: str) -> Response:
    locale = get_locale()
    html = render_template(
        f"wallet/{name}.html",
        issuer=kit.base_url,
        language=locale.language if locale else "ko",
        reads_pictures=picture.is_available(),
    )
    return make_response(html)


def _check_same_site() -> None:
    """Only the wallet's own pages need these; a browser says where a call comes from."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise RequestUntrusted("This call comes from another site.")


def _question() -> dict[str, str]:
    """The body of `/wallet/verify`. `application/json` keeps other sites' forms out as well."""
    if request.mimetype != "application/json":
        raise RequestUntrusted("JSON is expected.")
    try:
        body = parse_object(request.get_data(cache=False))
    except ValueError as error:
        raise RequestUntrusted("JSON is expected.") from error
    names = ("request_object", "client_id", "wallet_nonce")
    asked = {name: body.get(name) for name in names}
    if not all(isinstance(value, str) for value in asked.values()):
        raise RequestUntrusted("A field is missing.")
    return {name: str(value) for name, value in asked.items()}


def _facts(found: Request) -> Mapping[str, Any]:
    """What the browser needs of a verified request."""
    encryption = found.encryption
    return {
        "client_id": found.client_id,
        "verifier": found.verifier,
        "host": found.host,
        "response_uri": found.response_uri,
        "nonce": found.nonce,
        "state": found.state,
        "dcql_query": found.query_document,
        "encryption": {"jwk": encryption.jwk, "enc": encryption.enc} if encryption else None,
    }


def _stopped(error: WalletStopped) -> tuple[Response, int]:
    """These two answer to scripts, so a refusal is JSON; pages raise nothing."""
    return jsonify({"error": error.code}), error.status
