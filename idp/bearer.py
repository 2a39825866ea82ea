"""An access token as a request presents it: in the header, by whoever holds its key (R-022, A-072).

RFC 6750 §2.1, RFC 9449 §7, RFC 8705 §3.
"""

from flask import request

from idp import access_tokens, sender
from idp.access_tokens import AccessToken
from idp.errors import RequestError, UnauthorizedError
from idp.events import Reason


def presented(audience: str) -> AccessToken:
    """The token of this request, which counts for this audience and is in the right hands.

    Whether the grant of a person's token lives is the caller's to ask. UnauthorizedError otherwise.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    kind = scheme.lower()
    if kind not in ("bearer", "dpop") or not value or " " in value:
        raise _refused("an access token is needed", "Bearer")
    token = access_tokens.read_access_token(value, audience)
    needs_proof = token.binding.startswith("jkt:")
    if needs_proof != (kind == "dpop"):  # stripped of its proof, or dressed up with one
        name, reason = "Bearer", Reason.TOKEN_INVALID
        if needs_proof:
            name, reason = "DPoP", Reason.SENDER_KEY
        raise _refused("the token came under another scheme than its own", name, reason)
    if token.binding:
        _check_key(token.binding, value)
    return token


def _check_key(binding: str, value: str) -> None:
    name = "DPoP" if binding.startswith("jkt:") else "Bearer"
    try:
        held = sender.holds(binding, value)
    except RequestError as error:
        if error.status != 400:
            raise
        refused = UnauthorizedError(error.code, error.public, scheme=name, reason=error.reason)
        refused.recorded = error.recorded
        raise refused from error
    if not held:
        raise _refused("the token is bound to another key", name, Reason.SENDER_KEY)


def _refused(
    public: str, scheme: str, reason: Reason = Reason.CLIENT_AUTHENTICATION
) -> UnauthorizedError:
    return UnauthorizedError("invalid_token", public, scheme=scheme, reason=reason)
