"""The QR of a login: its links, its first frame for the page, the next frames for a poll."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from flask_babel import get_locale
from markupsafe import Markup

from idp import qr
from idp.conf import Wallet
from idp.contracts import WalletMethod
from idp.frames import frame
from idp.login import Wire
from idp.relying_parties import RelyingParty
from idp.services import services

FRAMES_PER_POLL = 4  # the client paints one each second, and polls about every two
_HANDLE_LENGTH = 22
_FRAME_LENGTH = 19


def localized_name(named: RelyingParty | Wallet) -> str:
    """The name in the language of the page."""
    locale = get_locale()
    return named.name_en if locale is not None and locale.language == "en" else named.name_ko


def response_uri(handle: str) -> str:
    """Where the wallet posts."""
    return f"{services().settings.issuer}/vp/{handle}/response"


def request_uri(handle: str, frame_text: str) -> str:
    """Where the wallet fetches the request object, while this frame is recent."""
    return f"{services().settings.issuer}/vp/{handle}/request?frame={frame_text}"


def elapsed_s(wire: Wire, now: datetime) -> int:
    """Whole seconds since the QR began."""
    return max(0, int((now - wire.begun_at).total_seconds()))


def links(method: WalletMethod, wire: Wire, frame_text: str) -> list[dict[str, str]]:
    """One link per configured wallet, for a wallet on this same device."""
    query = method.link_query(request_uri(wire.handle, frame_text))
    return [
        {"name": localized_name(wallet), "href": f"{wallet.present_prefix}{query}"}
        for wallet in services().settings.wallets
    ]


def prefix() -> str:
    """What the QR's link begins with: the scheme, or an https address (`qr_link`)."""
    settings = services().settings
    if settings.qr_link == "https":
        return f"{settings.issuer}/wallet/present?"
    return settings.wallets[0].present_prefix


@lru_cache(maxsize=8)
def _basis(template: str) -> qr.QrBasis:
    return qr.QrBasis(template)


def _basis_of(method: WalletMethod) -> qr.QrBasis:
    handle, frame_text = qr.HOLE * _HANDLE_LENGTH, qr.HOLE * _FRAME_LENGTH
    return _basis(prefix() + method.link_query(request_uri(handle, frame_text)))


def _bits(basis: qr.QrBasis, wire: Wire, second: int) -> int:
    return basis.frame(wire.handle, frame(wire, second))


def svg(method: WalletMethod, wire: Wire, second: int) -> Markup:
    """The frame of this second as inline SVG, drawn by the server."""
    basis = _basis_of(method)
    return drawing(_bits(basis, wire, second), basis.size)


def drawing(bits: int, size: int) -> Markup:
    """The picture alone: what it is stands on the element around it, so it is not said twice."""
    svg_text = qr.svg(bits, size).replace('role="img"', 'aria-hidden="true"', 1)
    return Markup(svg_text)  # noqa: S704  # made of digits only


def frames(method: WalletMethod, wire: Wire, now: datetime) -> dict[str, Any]:
    """The frames of the next seconds, and how far the server's clock is."""
    basis = _basis_of(method)
    first = elapsed_s(wire, now)
    return {
        "size": basis.size,
        # The links carry a frame too, so those on the page must stay fresh.
        "links": [link["href"] for link in links(method, wire, frame(wire, first))],
        "elapsed_ms": int((now - wire.begun_at).total_seconds() * 1000),
        "frames": [
            {"second": second, "bits": qr.encode(_bits(basis, wire, second), basis.size)}
            for second in range(first, first + FRAMES_PER_POLL)
        ],
    }
