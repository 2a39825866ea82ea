"""The reference wallet: for the command line, and for a phone's browser under `/wallet`.

One flow each way. Receiving: `links` -> `offer` -> `receive` -> `store`. Showing: `links` ->
`request` (is it genuine?) -> `dcql` (which card, which claims?) -> `present`. Each step is a module
that knows nothing of the clock; `commands` strings them together for `gongmu wallet`, and the
browser does the holder's part in templates/assets/wallet/, helped by `site` where a browser
cannot check certificates or read pictures. Both keep the same checks in the same order.

In the browser a PIN of six digits stands before the card, and five wrong ones erase card and key
(`lock.js`, `gate.js`). That is a gate of the interface: it keeps out who holds the phone, not who can
run programs in its browser profile. Without a network the card is shown as not confirmed (`shell`).
"""

from pathlib import Path

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field

from idp.contracts import Site, SiteKit, Use
from idp.errors import ConfError, Problem
from idp_wallet.chain import Anchors, read_anchors


class WalletSettings(BaseModel):
    """`[sites.wallet]`: the wallet that this provider serves under `/wallet`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verifier_anchors_files: tuple[Path, ...] = Field(
        (), description="PEM files: roots of verifiers that may ask, beside this provider's own"
    )

    def open(self, kit: SiteKit) -> Site:
        """The site, with the roots it believes. ConfError for a file without certificates."""
        from idp_wallet.site import make_blueprint

        others = [root for file in self.verifier_anchors_files for root in _read(file)]

        def anchors(use: Use) -> Anchors:  # asked each time: our own root may have been renewed
            own = map(x509.load_der_x509_certificate, kit.trust_anchors(use))
            return (*own, *(others if use is Use.VERIFIER else ()))

        return Site(
            blueprint=make_blueprint(kit, anchors),
            prefixes=("/wallet",),
            well_known={},
        )


def _read(file: Path) -> Anchors:
    try:
        return read_anchors(file)
    except (OSError, ValueError) as error:
        key = "sites.wallet.verifier_anchors_files"
        raise ConfError([Problem("", key, None, str(file), "PEM certificates")]) from error
