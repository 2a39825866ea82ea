"""Which key the sender of this request holds, beside the secrets that it sends.

A *binding* names such a key: `jkt:<thumbprint>` of a DPoP proof (RFC 9449), `x5t:<thumbprint>` of a
client certificate (RFC 8705), "" for none. A token that is bound to a key is of no use without it.

Every proof names a nonce of ours. A nonce is a roll in the short-lived store, on which each proof
made with it is entered once, in the same trip that finds the roll. It is random and never made
again, so that where the store has lost its entries, by a flush or a failover, it has lost the nonce
as well: no proof counts twice, whatever happens to the store (A-069).
"""

import re
from urllib.parse import quote

from flask import Response, g, request

from idp import browser, client_certificates, dpop, jws, randomness, rates
from idp.client_certificates import Certificate
from idp.errors import RequestError
from idp.events import Reason
from idp.login import digest
from idp.services import services

NONCE_S = 300  # how long a nonce counts
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_IN_PATH = "/:@!$&'()*+,;=~"  # what stands in a path as it is (RFC 3986 §3.3)
_VERIFIED = frozenset({"SUCCESS", "0"})  # nginx and Apache; HAProxy


def proven_key(access_token: str = "") -> str:
    """The thumbprint of the key that this request's DPoP proof is made with; "" when it has no proof.

    RequestError("invalid_dpop_proof") when it does not verify for this address and method, and
    `access_token` where there is one; RequestError("use_dpop_nonce") when it needs a nonce of ours.
    """
    text = request.headers.get("DPoP")
    if text is None:
        return ""
    parts = services()
    address = f"{parts.settings.issuer}{quote(request.path, safe=_IN_PATH)}"
    at = int(parts.now().timestamp())
    try:
        proof = dpop.read(text, dpop.Call(request.method, address, at, access_token))
    except jws.NotGenuine as error:
        raise _no_proof(str(error)) from error
    first = None
    if _NONCE.fullmatch(proof.nonce):
        entry = digest(f"{proof.thumbprint} {proof.jti}")
        first = parts.short.enter(f"dpop:{proof.nonce}", entry)
    if first is None:
        raise _no_nonce()
    if not first:
        raise _no_proof("used before")
    return proof.thumbprint


def _no_proof(detail: str) -> RequestError:
    public = "the DPoP proof does not count"
    return RequestError("invalid_dpop_proof", public, detail=detail, reason=Reason.DPOP_PROOF)


def _no_nonce() -> RequestError:
    """Asks for the same again with the nonce of this answer (RFC 9449 §8)."""
    rates.must_fit("nonces")  # anybody may ask, under the name of a public client
    nonce = randomness.token(16)
    services().short.open_roll(f"dpop:{nonce}", NONCE_S)
    g.dpop_nonce = nonce
    error = RequestError("use_dpop_nonce", "use the nonce of this answer", reason=Reason.DPOP_PROOF)
    error.recorded = True  # a step of the protocol: there is nothing to review
    return error


def keep_nonce(response: Response) -> Response:
    """An after_request hook: the header that goes with `use_dpop_nonce`."""
    if "dpop_nonce" in g:
        response.headers["DPoP-Nonce"] = g.dpop_nonce
    return response


def certificate() -> Certificate | None:
    """The client's certificate, from a proxy of ours; None when it showed none.

    A header that anybody else sent counts for nothing (A-073). RequestError when the proxy's own
    cannot be read.
    """
    name = services().settings.server.client_certificate_header
    text = request.headers.get(name, "") if name and browser.through_proxy() else ""
    if not text:
        return None
    try:
        return client_certificates.read(text)
    except jws.NotGenuine as error:
        raise RequestError(
            "invalid_request", "the client certificate cannot be read", reason=Reason.SENDER_KEY
        ) from error


def is_verified() -> bool:
    """Whether the proxy has checked the chain of `certificate`, as a second header of it says."""
    name = services().settings.server.client_certificate_verdict_header
    return bool(name) and request.headers.get(name, "") in _VERIFIED


def certificate_binding() -> str:
    """The binding to the certificate of this request; "" when it has none."""
    found = certificate()
    return f"x5t:{found.thumbprint}" if found else ""


def holds(binding: str, access_token: str = "") -> bool:
    """Whether the sender has the key of this binding, which is not "". RequestError as `proven_key`."""
    if binding.startswith("jkt:"):
        return binding == f"jkt:{proven_key(access_token)}"
    return binding == certificate_binding()
