"""Which key the tokens of an answer are bound to: what the party's profile and settings ask for (D-2).

Held at the token endpoint, whichever way the request came there (RFC 9449 §5, RFC 8705 §3, R-007).
"""

from idp import sender
from idp.errors import RequestError
from idp.events import Reason
from idp.relying_parties import RelyingParty


def of_request(party: RelyingParty) -> str:
    """The binding for this request's tokens; "" for a bearer's. RequestError when a key is missing."""
    if party.tls_client_certificate_bound_access_tokens:
        return sender.certificate_binding() or _missing(party, "a client certificate is needed")
    key = sender.proven_key()
    if key:
        return f"jkt:{key}"
    if party.dpop_bound_access_tokens:
        return _missing(party, "a DPoP proof is needed")
    if party.profile == "fapi2":
        return sender.certificate_binding() or _missing(party, "a DPoP proof is needed")
    return ""


def of_refresh(party: RelyingParty, binding: str) -> str:
    """What its refresh tokens are bound to beside the client.

    The client of profile `oidc` proves itself at each refresh and may change its key (RFC 9449 §5); that of
    `public` has nothing else to prove, and FAPI 2.0 binds to both.
    """
    return "" if party.profile == "oidc" else binding


def _missing(party: RelyingParty, public: str) -> str:
    by_certificate = party.tls_client_certificate_bound_access_tokens
    code = "invalid_request" if by_certificate else "invalid_dpop_proof"
    reason = Reason.SENDER_KEY if by_certificate else Reason.DPOP_PROOF
    error = RequestError(code, public, reason=reason)
    error.relying_party = party.client_id
    raise error
