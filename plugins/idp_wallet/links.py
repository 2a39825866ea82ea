"""Links that a wallet is opened with: from a QR, a tap, or pasted by hand.

openid-credential-offer://?credential_offer_uri=...      (VCI 1.0 §4.1)
openid4vp://?client_id=...&request_uri=...&request_uri_method=post   (VP 1.0 §5)
https://id.example.go.kr/wallet/receive?...   /wallet/present?...    (the same, for a browser)
"""

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from idp_wallet.faults import LinkUnreadable

MAX_LINK = 8 * 1024  # E7
MAX_INSIDE = 4 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OFFER_SCHEMES = frozenset({"openid-credential-offer", "haip-vci"})
_PRESENT_SCHEMES = frozenset({"openid4vp", "haip-vp"})


@dataclass(frozen=True, slots=True)
class OfferLink:
    """Where the offer lies, or the offer itself; exactly one of the two. Nothing is trusted yet."""

    offer_uri: str = ""
    offer: str = ""  # JSON


@dataclass(frozen=True, slots=True)
class PresentationLink:
    """Who says to be asking, and where the signed request lies. Nothing is trusted yet."""

    client_id: str
    request_uri: str
    by_post: bool = False


def read_link(text: str) -> OfferLink | PresentationLink:
    """What a link asks for. LinkUnreadable."""
    text = text.strip()
    if len(text) > MAX_LINK or not text.isprintable():
        raise LinkUnreadable("This link is too long or holds characters that no link has.")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise LinkUnreadable("This is not a link.") from error
    query = _query(parts.query)
    if _is_for(parts, _OFFER_SCHEMES, "/wallet/receive"):
        return _offer_link(query)
    if _is_for(parts, _PRESENT_SCHEMES, "/wallet/present"):
        return _presentation_link(query)
    raise LinkUnreadable("This link is neither an offer of a card nor a request to show one.")


def is_safe(address: str) -> bool:
    """Whether a wallet may call this address: https, or http on this machine (a demo)."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def _is_for(parts: SplitResult, schemes: frozenset[str], path: str) -> bool:
    if parts.scheme in schemes:
        return not parts.netloc and parts.path in ("", "/")
    return parts.scheme in ("https", "http") and parts.path == path


def _query(text: str) -> dict[str, str]:
    """Parameters, each at most once: of two, a phone and a check might read different ones."""
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=64)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise LinkUnreadable("A part of this link is repeated.")
    return query


def _offer_link(query: dict[str, str]) -> OfferLink:
    """Exactly one of `credential_offer_uri` and `credential_offer` (VCI 1.0 §4.1)."""
    offer_uri, offer = query.get("credential_offer_uri", ""), query.get("credential_offer", "")
    if bool(offer_uri) == bool(offer):
        raise LinkUnreadable("This link does not say which card is offered.")
    if offer_uri and (len(offer_uri) > MAX_INSIDE or not is_safe(offer_uri)):
        raise LinkUnreadable("The offer does not lie at a safe address (https).")
    return OfferLink(offer_uri, offer)


def _presentation_link(query: dict[str, str]) -> PresentationLink:
    """`client_id` and `request_uri`; the request itself is never taken from the link (VP 1.0 §5)."""
    client_id, request_uri = query.get("client_id", ""), query.get("request_uri", "")
    method = query.get("request_uri_method", "get")
    if not client_id or not request_uri or len(client_id) > MAX_INSIDE:
        raise LinkUnreadable("This link does not say who asks, or where the request lies.")
    if method not in ("get", "post"):
        raise LinkUnreadable("This link asks to be fetched in an unknown way.")
    if len(request_uri) > MAX_INSIDE or not is_safe(request_uri):
        raise LinkUnreadable("The request does not lie at a safe address (https).")
    return PresentationLink(client_id, request_uri, method == "post")
