"""A token request, read and checked before anything is looked up (OpenID4VCI 1.0 §6.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp.contracts import MOBILE_ID_CONFIGURATION, JsonObject
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp_issuer.metadata import PRE_AUTHORIZED_CODE
from idp_issuer.wire import NotStrict, json_value, refusal

MAX_CLIENT_ID = 255


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters that count."""

    code: str
    tx_code: str
    client_id: str  # "" when anonymous; a name that nobody has checked
    by_identifier: bool  # authorization_details were sent, so the answer names identifiers


def read(form: Mapping[str, str], base_url: str, *, authorization: bool) -> TokenRequest:
    """A request from the form's fields. RequestError with a code of RFC 6749 §5.2.

    `authorization`: the request had an Authorization header; we know no clients, so none is right.
    """
    if authorization or "client_secret" in form or "client_assertion" in form:
        raise UnauthorizedError("invalid_client", "no client is registered here", scheme="Basic")
    _check_grant(form)
    if form.get("resource", base_url) != base_url:  # RFC 8707
        raise refusal("invalid_target", "resource is not this issuer", Reason.BAD_REQUEST)
    if form.get("scope", MOBILE_ID_CONFIGURATION) != MOBILE_ID_CONFIGURATION:
        raise refusal("invalid_scope", "there is no such scope", Reason.SCOPE)
    client_id = form.get("client_id", "")
    if len(client_id) > MAX_CLIENT_ID or not client_id.isprintable():
        raise refusal("invalid_request", "client_id is malformed", Reason.BAD_REQUEST)
    return TokenRequest(
        code=form["pre-authorized_code"],
        tx_code=form["tx_code"],
        client_id=client_id,
        by_identifier=_check_details(form.get("authorization_details"), base_url),
    )


def _check_grant(form: Mapping[str, str]) -> None:
    if "grant_type" not in form:
        raise refusal("invalid_request", "grant_type is missing", Reason.GRANT_TYPE)
    if form["grant_type"] != PRE_AUTHORIZED_CODE:
        raise refusal("unsupported_grant_type", "only the pre-authorized code", Reason.GRANT_TYPE)
    for name in ("pre-authorized_code", "tx_code"):
        if name not in form:
            raise refusal("invalid_request", f"{name} is missing", Reason.BAD_REQUEST)


def _check_details(text: str | None, base_url: str) -> bool:
    """Whether details were sent; they may ask for the mobile ID and nothing else (A-173)."""
    if text is None:
        return False
    try:
        details = json_value(text.encode())
    except NotStrict:
        details = None
    if not isinstance(details, list) or len(details) != 1 or not _is_ours(details[0], base_url):
        raise refusal(
            "invalid_authorization_details", "only the mobile ID can be asked", Reason.BAD_REQUEST
        )
    return True


def _is_ours(detail: Any, base_url: str) -> bool:
    return (
        isinstance(detail, dict)
        and detail.get("type") == "openid_credential"
        and detail.get("credential_configuration_id") == MOBILE_ID_CONFIGURATION
        and detail.get("locations", [base_url]) == [base_url]
    )


def answer(asked: TokenRequest, token: str, lifetime_s: int) -> JsonObject:
    """The successful response (§6.2)."""
    body: dict[str, Any] = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": lifetime_s,
    }
    if asked.by_identifier:
        body["authorization_details"] = [
            {
                "type": "openid_credential",
                "credential_configuration_id": MOBILE_ID_CONFIGURATION,
                "credential_identifiers": [MOBILE_ID_CONFIGURATION],
            }
        ]
    return body
