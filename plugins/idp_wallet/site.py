"""The pages under `/wallet`, and what a phone's browser cannot do by itself.

`/wallet/verify` checks who signed a request, `/wallet/verify-card` a card, `/wallet/verify-status` a
status list; `/wallet/read-qr` finds the link in a picture. They only compute: they keep nothing, change
nothing, and learn no name. Keys and cards stay in the browser.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from threading import BoundedSemaphore
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask_babel import get_locale

from idp.contracts import SiteKit, Use
from idp_wallet import picture, shell
from idp_wallet.chain import Anchors
from idp_wallet.encoding import parse_object
from idp_wallet.faults import (
    LinkUnreadable,
    NoCode,
    RequestUntrusted,
    Unreachable,
    WalletStopped,
)
from idp_wallet.links import PresentationLink
from idp_wallet.receive import check_signature
from idp_wallet.request import MAX_REQUEST, Request, verify_request
from idp_wallet.status import verify_status

MAX_VERIFY = MAX_REQUEST + 16 * 1024
PATIENCE_S = 0.3  # a camera comes again by itself; waiting would hold threads of the sign-in
_PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
AnchorsOf = Callable[[Use], Anchors]


def make_blueprint(kit: SiteKit, anchors: AnchorsOf) -> Blueprint:
    """The wallet's pages and helpers; rules are whole paths."""
    blueprint = Blueprint("wallet", __name__)
    for path, name in (
        ("/wallet", "cards"),
        ("/wallet/receive", "receive"),
        ("/wallet/present", "present"),
    ):
        blueprint.add_url_rule(path, name, view_func=_page, defaults={"kit": kit, "name": name})
    _add_shell(blueprint)
    _add_verifications(blueprint, kit, anchors)
    _add_reader(blueprint)
    blueprint.register_error_handler(WalletStopped, _stopped)
    return blueprint


def _add_shell(blueprint: Blueprint) -> None:
    @blueprint.get("/wallet/manifest.webmanifest")
    def manifest() -> Response:
        response = jsonify(shell.make_manifest(_language()))
        response.mimetype = "application/manifest+json"
        return response

    @blueprint.get("/wallet/worker.js")
    def worker() -> Response:
        response = make_response(shell.worker())
        response.headers["Content-Type"] = "text/javascript; charset=utf-8"
        # `/wallet` itself lies above the worker's own folder (Service Workers §4.1).
        response.headers["Service-Worker-Allowed"] = shell.START
        response.headers["Cache-Control"] = "no-cache"
        return response


def _add_verifications(blueprint: Blueprint, kit: SiteKit, anchors: AnchorsOf) -> None:
    @blueprint.post("/wallet/verify")
    def verify() -> Response:
        asked = _question("request_object", "client_id", "wallet_nonce")
        link = PresentationLink(asked["client_id"], "", by_post=bool(asked["wallet_nonce"]))
        found = verify_request(
            asked["request_object"], link, asked["wallet_nonce"], anchors(Use.VERIFIER), kit.now()
        )
        return jsonify(_facts(found))

    @blueprint.post("/wallet/verify-card")
    def verify_card() -> Response:
        asked = _question("jwt", "issuer")
        check_signature(asked["jwt"], asked["issuer"], anchors(Use.ISSUER), kit.now())
        return jsonify({})

    @blueprint.post("/wallet/verify-status")
    def check_status() -> Response:
        asked = _question("status_list", "uri")
        found = verify_status(asked["status_list"], asked["uri"], anchors(Use.ISSUER), kit.now())
        return jsonify(asdict(found))


def _add_reader(blueprint: Blueprint) -> None:
    readers = BoundedSemaphore(2)  # pictures cost much more than any page: a few at a time

    @blueprint.post("/wallet/read-qr")
    def read_qr() -> Response:
        request.max_content_length = picture.MAX_BYTES
        _check_same_site()
        if request.mimetype not in _PICTURE_TYPES:
            raise LinkUnreadable("A picture is expected (PNG, JPEG, WebP).")
        raw = request.get_data(cache=False)
        if not readers.acquire(timeout=PATIENCE_S):
            raise Unreachable("Too many pictures at once. Try again.")
        try:
            return jsonify({"link": picture.read_qr(raw)})
        except NoCode:  # what a camera sees most of the time
            return jsonify({"link": ""})
        finally:
            readers.release()


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "ko"


def _page(kit: SiteKit, name: str) -> Response:
    html = render_template(
        f"wallet/{name}.html",
        issuer=kit.base_url,
        language=_language(),
        reads_pictures=picture.is_available(),
    )
    return make_response(html)


def _check_same_site() -> None:
    """Only the wallet's own pages need these; a browser says where a call comes from."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise RequestUntrusted("This call comes from another site.")


def _question(*names: str) -> dict[str, str]:
    """The text fields of a JSON body. `application/json` keeps other sites' forms out as well."""
    request.max_content_length = MAX_VERIFY
    _check_same_site()
    if request.mimetype != "application/json":
        raise RequestUntrusted("JSON is expected.")
    try:
        body = parse_object(request.get_data(cache=False))
    except ValueError as error:
        raise RequestUntrusted("JSON is expected.") from error
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
    """These answer to scripts, so a refusal is JSON; pages raise nothing."""
    return jsonify({"error": error.code}), error.status
