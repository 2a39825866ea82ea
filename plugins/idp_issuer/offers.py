"""Offers of a mobile ID, and the one redemption of each: code and digits for an access token.

In the short-lived store, by digests so that a reader of the store cannot use what it sees there:

    offer:<digest>      the code, for the document that the link points to
    code:<digest>       whose it is and the digest of the digits; taken by the first right redemption
    tries:<digest>      how often digits were tried, counted before they are compared
    token:<digest>      what an access token is good for
    nonce:<value>       a nonce for a key proof
"""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from idp import randomness
from idp.contracts import JsonObject, Offer, SiteKit
from idp.errors import RequestError
from idp.events import Reason
from idp_issuer.metadata import TX_CODE_LENGTH, credential_offer
from idp_issuer.token_request import TokenRequest
from idp_issuer.wire import no_token, refusal

if TYPE_CHECKING:
    from idp_issuer.settings import IssuerSettings


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token is good for: exactly one mobile ID."""

    mobile_id: str
    client_id: str = ""  # as the wallet called itself; "" when anonymous
    by_identifier: bool = False  # the token response named credential identifiers


def digest(secret: str) -> str:
    """How a secret is kept and found."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Offers:
    """Implements contracts.CredentialOffers; and what the token endpoint does with an offer."""

    def __init__(self, kit: SiteKit, settings: "IssuerSettings") -> None:
        self._kit = kit
        self._short = kit.short
        self._settings = settings

    @property
    def base_url(self) -> str:
        """Our Credential Issuer Identifier."""
        return self._kit.base_url

    @property
    def token_lifetime_s(self) -> int:
        """How long an access token lives."""
        return self._settings.token_lifetime_s

    def make_offer(self, personnel_number: str, actor: str) -> Offer:
        """A new offer. AccessDenied when the person is unknown or not active; OutsideError."""
        now = self._kit.now()
        mobile_id = self._kit.mobile_ids.offer(personnel_number, actor, self._end(now)).id
        offer_id, code = self._kit.token(24), self._kit.token(32)
        tx_code = randomness.digits(TX_CODE_LENGTH)
        lifetime_s = self._settings.offer_lifetime_s
        record = {"mobile_id": mobile_id, "tx_code": _tx_digest(code, tx_code)}
        self._short.put(f"code:{digest(code)}", json.dumps(record), lifetime_s)
        self._short.put(f"offer:{digest(offer_id)}", code, lifetime_s)
        uri = f"{self._kit.base_url}/issuer/offers/{offer_id}"
        return Offer(
            id=mobile_id,
            credential_offer_uri="openid-credential-offer://?"
            + urlencode({"credential_offer_uri": uri}),
            tx_code=tx_code,
            expires_at=now + timedelta(seconds=lifetime_s),
        )

    def document(self, offer_id: str) -> JsonObject:
        """The credential offer behind a link, until it expires. RequestError (404).

        It stays after its redemption: a wallet that scans twice is told so by the token endpoint.
        """
        code = self._short.get(f"offer:{digest(offer_id)}")
        if code is None:
            error = refusal("not_found", "there is no such offer", Reason.OFFER_UNKNOWN)
            error.status = 404
            raise error
        return credential_offer(self._kit.base_url, code)

    def redeem(self, asked: TokenRequest) -> str:
        """Code and digits for an access token, once (VCI §6). RequestError("invalid_grant").

        The try is counted before it is compared, so that parallel guesses cannot pass the limit;
        of parallel right ones the store lets one take the code (A-172).
        """
        name = digest(asked.code)
        text = self._short.get(f"code:{name}")
        if text is None:
            raise self._gone(name)
        offered = json.loads(text)
        journey = offered["mobile_id"]
        tries = self._short.count(f"tries:{name}", self._settings.offer_lifetime_s)
        if tries > self._settings.tx_code_tries:
            raise _invalid_grant(Reason.TX_CODE_TRIES, journey)
        if not hmac.compare_digest(offered["tx_code"], _tx_digest(asked.code, asked.tx_code)):
            last = tries == self._settings.tx_code_tries
            reason = Reason.TX_CODE_TRIES if last else Reason.TX_CODE_WRONG
            raise _invalid_grant(reason, journey)
        taken = self._short.take(f"code:{name}", self._settings.offer_lifetime_s)
        if taken is None or not taken.first:
            raise _invalid_grant(Reason.OFFER_REPLAYED, journey)
        return self._grant(Access(journey, asked.client_id, asked.by_identifier))

    def access(self, token: str) -> Access:
        """What a token is good for. UnauthorizedError when it is unknown, over or spent."""
        text = self._short.get(f"token:{digest(token)}")
        if text is None:
            raise no_token("the access token is unknown, over or used")
        return Access(**json.loads(text))

    def spend(self, token: str) -> None:
        """A token is worth nothing from now on."""
        self._short.take(f"token:{digest(token)}")

    def nonce(self) -> str:
        """A nonce for one key proof (VCI §7)."""
        value = self._kit.token(32)
        self._short.put(f"nonce:{value}", "1", self._settings.nonce_lifetime_s)
        return value

    def spend_nonce(self, value: str) -> None:
        """Does nothing, once per nonce; else RequestError("invalid_nonce") (A-170)."""
        taken = self._short.take(f"nonce:{value}")
        if taken is None or not taken.first:
            raise refusal("invalid_nonce", "ask for a new nonce", Reason.NONCE_INVALID)

    def _grant(self, access: Access) -> str:
        token = self._kit.token(32)
        lifetime_s = self._settings.token_lifetime_s
        self._short.put(f"token:{digest(token)}", json.dumps(asdict(access)), lifetime_s)
        return token

    def _gone(self, name: str) -> RequestError:
        """An unknown code, or one redeemed before: the same answer, another reason in the event."""
        taken = self._short.take(f"code:{name}", self._settings.offer_lifetime_s)
        if taken is None:
            return _invalid_grant(Reason.OFFER_UNKNOWN)
        return _invalid_grant(Reason.OFFER_REPLAYED, json.loads(taken.value)["mobile_id"])

    def _end(self, now: datetime) -> datetime:
        """The end of a mobile ID offered now: a midnight, so that it tells nothing of the hour."""
        end = now.astimezone(UTC) + timedelta(days=self._settings.credential_lifetime_days)
        return end.replace(hour=0, minute=0, second=0, microsecond=0)


def _tx_digest(code: str, tx_code: str) -> str:
    return hmac.digest(code.encode(), tx_code.encode(), "sha256").hex()


def _invalid_grant(reason: Reason, journey: str = "") -> RequestError:
    return refusal("invalid_grant", "the code or the digits are not right", reason, journey)
