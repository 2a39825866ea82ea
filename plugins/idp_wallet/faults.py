"""Why the wallet stops, as one tree below the provider's own errors.

WalletStopped
├── LinkUnreadable     not a link (or a picture of one) that a wallet understands
│   └── NoCode          there is no QR code in the picture
├── OfferRefused       the issuer's offer, metadata or credential is not in order
│   ├── CodeRefused     the issuer says that the code is wrong or used up
│   └── CardUntrusted   the card's signature does not lead to its issuer
├── RequestUntrusted   who asks cannot be verified, or asks in a way that is not in order
├── NothingToShow      no card in this wallet answers the question
├── AnswerRefused      the verifier did not take the presentation
├── StatusUnknown      whether a card is still valid cannot be told
├── Unreachable        the other side does not answer, or not in time
└── StoreUnusable      the folder with the cards cannot be used

The text is shown to the person who holds the wallet: plain words, never a secret. `code` is stable:
pages find their translation by it, programs read it with `--json`.
"""

from idp.errors import GongmuError
from idp.events import Reason


class WalletStopped(GongmuError):
    code = "wallet_stopped"
    status = 400
    reason = Reason.BAD_REQUEST


class LinkUnreadable(WalletStopped):
    code = "link_unreadable"


class NoCode(LinkUnreadable):
    """What a camera sees most of the time."""


class OfferRefused(WalletStopped):
    code = "offer_refused"


class CodeRefused(OfferRefused):
    code = "code_refused"


class CardUntrusted(OfferRefused):
    code = "card_untrusted"


class RequestUntrusted(WalletStopped):
    code = "request_untrusted"


class NothingToShow(WalletStopped):
    code = "nothing_to_show"


class AnswerRefused(WalletStopped):
    code = "answer_refused"


class StatusUnknown(WalletStopped):
    code = "status_unknown"


class Unreachable(WalletStopped):
    code = "unreachable"
    status = 502


class StoreUnusable(WalletStopped):
    code = "store_unusable"
