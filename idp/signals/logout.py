"""The letter "this session has ended" to one relying party: OIDC Back-Channel Logout 1.0."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

from idp import randomness
from idp.contracts import Use
from idp.errors import OutsideError
from idp.events import Event, Kind, Reason
from idp.keys import KeyRing
from idp.relying_parties import RelyingParties, RelyingParty
from idp.signals.courier import Outcome
from idp.signals.outbox import Letter
from idp.signals.posting import SYSTEM
from idp.subjects import pairwise

TYP = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME_S = 120  # at most two minutes (§2.4)
_KINDS = {
    Outcome.DELIVERED: Kind.LOGOUT_DELIVERED,
    Outcome.DELAYED: Kind.LOGOUT_DELAYED,
    Outcome.FAILED: Kind.LOGOUT_FAILED,
}


class Logout:
    """Delivers logout tokens. `post` is (url, body, content type) -> status (posting.Poster)."""

    def __init__(
        self,
        issuer: str,
        parties: RelyingParties,
        keys: KeyRing,
        post: Callable[[str, bytes, str], int],
        now: Callable[[], datetime],
    ) -> None:
        self._issuer = issuer
        self._parties = parties
        self._keys = keys
        self._post = post
        self._now = now

    def deliver(self, letter: Letter) -> None:
        """One try (§2.5, §2.8). OutsideError when the relying party has not taken it."""
        party = self._parties.get(letter.target)
        if party is None or not party.backchannel_logout_uri:
            raise OutsideError(SYSTEM, "no address registered")
        form = urlencode({"logout_token": self._token(party, letter)}).encode()
        status = self._post(party.backchannel_logout_uri, form, "application/x-www-form-urlencoded")
        if not 200 <= status < 300:
            raise OutsideError(SYSTEM, f"status {status}")

    def event(self, letter: Letter, outcome: Outcome, cause: str) -> Event:
        """What the journal is told; it belongs to the story of the sign-in that has ended."""
        return Event(
            _KINDS[outcome],
            reason=Reason.OUTSIDE if cause else Reason.NONE,
            journey=letter.body["journey"],
            subject=letter.body["subject"],
            session=letter.body["session"],
            relying_party=letter.target,
            data={"try": str(letter.tries), **({"cause": cause} if cause else {})},
        )

    def _token(self, party: RelyingParty, letter: Letter) -> str:
        """A logout token of its own for each try (§2.4): `sub` and `sid`, and never a nonce."""
        now = int(self._now().timestamp())
        claims = {
            "iss": self._issuer,
            "sub": pairwise(self._keys.secret("pairwise"), party, letter.body["subject"]),
            "aud": party.client_id,
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": randomness.token(16),
            "events": {EVENT: {}},
            "sid": letter.body["session"],
        }
        return self._keys.sign(claims, TYP, Use.OIDC, party.id_token_signed_response_alg)
