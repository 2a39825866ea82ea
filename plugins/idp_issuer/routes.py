"""The HTTP of the issuer: five endpoints for wallets, one for everyone who checks a mobile ID."""

import re

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotAcceptable

from idp.contracts import JsonObject
from idp.events import Reason
from idp_issuer import token_request
from idp_issuer.credentials import Credentials
from idp_issuer.lists import StatusLists, not_found
from idp_issuer.offers import Offers
from idp_issuer.wire import bearer_token, form, refusal

MAX_FORM = 16384
MAX_JSON = 65536
STATUS_TYPE = "application/statuslist+jwt"
# Not <int:n>: its converter knows other spellings of a number, each an address of its own in caches.
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class Endpoints:
    """The view functions, over the parts that do the work."""

    def __init__(self, offers: Offers, credentials: Credentials, lists: StatusLists) -> None:
        self._offers = offers
        self._credentials = credentials
        self._lists = lists

    def offer(self, offer_id: str) -> Response:
        """The credential offer that a link points to (VCI §4.1.3)."""
        return _private(self._offers.document(offer_id))

    def token(self) -> Response:
        """Code and digits for an access token (VCI §6)."""
        fields = form(_body(MAX_FORM), request.mimetype)
        if request.query_string:
            raise refusal("invalid_request", "parameters go into the body", Reason.BAD_REQUEST)
        with_header = "Authorization" in request.headers
        asked = token_request.read(fields, self._offers.base_url, authorization=with_header)
        granted = self._offers.redeem(asked)
        return _private(token_request.answer(asked, granted, self._offers.token_lifetime_s))

    def nonce(self) -> Response:
        """A nonce for one key proof (VCI §7)."""
        _body(MAX_FORM)  # nothing is asked of it, but it may not be endless
        return _private({"c_nonce": self._offers.nonce()})

    def credential(self) -> Response:
        """A mobile ID for an access token and a key proof (VCI §8)."""
        query = request.query_string.decode("latin-1")
        presented = bearer_token(request.headers.get("Authorization", ""), query)
        access = self._offers.access(presented)
        if request.mimetype != "application/json":
            raise refusal(
                "invalid_credential_request",
                "application/json is needed",
                Reason.BAD_REQUEST,
                access.mobile_id,
            )
        issued = self._credentials.issue(access, presented, _body(MAX_JSON))
        return _private({"credentials": [{"credential": issued}]})

    def status(self, number: str) -> Response:
        """A signed status list (draft-ietf-oauth-status-list §8.1)."""
        if not _NUMBER.fullmatch(number):
            raise not_found()
        if request.accept_mimetypes and not request.accept_mimetypes.quality(STATUS_TYPE):
            raise NotAcceptable
        response = Response(self._lists.token(int(number)), mimetype=STATUS_TYPE)
        response.headers["Cache-Control"] = f"public, max-age={self._lists.refresh_s}"
        response.headers["Vary"] = "Accept"
        # Public, without cookies, and wanted by verifiers that run in a browser.
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response


def create_blueprint(offers: Offers, credentials: Credentials, lists: StatusLists) -> Blueprint:
    """Every rule is a whole path."""
    blueprint = Blueprint("issuer", __name__)
    views = Endpoints(offers, credentials, lists)
    for rule, view, method in (
        ("/issuer/offers/<offer_id>", views.offer, "GET"),
        ("/issuer/token", views.token, "POST"),
        ("/issuer/nonce", views.nonce, "POST"),
        ("/issuer/credential", views.credential, "POST"),
        ("/status/<number>", views.status, "GET"),
    ):
        blueprint.add_url_rule(rule, view.__name__, view, methods=[method])
    return blueprint


def _body(limit: int) -> bytes:
    """The raw body; werkzeug answers 413 beyond `limit` bytes, announced or not."""
    request.max_content_length = limit
    return request.get_data(cache=False)


def _private(body: JsonObject) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    return response
