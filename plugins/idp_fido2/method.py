"""The method itself: `contracts.BrowserMethod` and `contracts.RelatedOrigins`."""

from dataclasses import dataclass
from datetime import datetime

from idp.contracts import Attempt, JsonObject, MethodKit, NewPasskey, Owner, Proof, Step
from idp.events import Reason
from idp_fido2 import options, registration, strict
from idp_fido2.assertion import Verifier
from idp_fido2.attestation import Attestations
from idp_fido2.policy import Policy


@dataclass(frozen=True, slots=True)
class Fido2Method:
    """Keeps nothing between two calls: the challenge is the attempt's nonce, which the core keeps."""

    policy: Policy
    attestations: Attestations
    kit: MethodKit
    related: tuple[str, ...]

    @property
    def rp_id(self) -> str:
        """The domain that its credentials belong to."""
        return self.policy.rp_id

    def related_origins(self) -> tuple[str, ...]:
        """Origins for `/.well-known/webauthn` (WebAuthn L3 §5.11)."""
        return self.related

    def begin(self, attempt: Attempt) -> Step:
        """Options for navigator.credentials.get, the same for everyone."""
        asked = options.request(attempt, self.policy.rp_id, self.kit.now())
        return Step(page={"options": asked}, state={})

    def complete(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        """Verify a sign-in (WebAuthn L3 §7.2). ProofRejected, OutsideError."""
        del state
        now = self._in_time(attempt)
        return Verifier(self.policy, self.attestations, self.kit.passkeys).verify(
            attempt, answer, now
        )

    def begin_enrolment(self, attempt: Attempt, owner: Owner) -> Step:
        """Options for navigator.credentials.create."""
        asked = options.creation(attempt, owner, self.policy, self.kit.now())
        return Step(page={"options": asked}, state={})

    def complete_enrolment(
        self, attempt: Attempt, state: JsonObject, answer: JsonObject
    ) -> NewPasskey:
        """Verify a registration (WebAuthn L3 §7.1). ProofRejected."""
        del state
        now = self._in_time(attempt)
        return registration.verify(self.policy, self.attestations, attempt, answer, now)

    def _in_time(self, attempt: Attempt) -> datetime:
        now = self.kit.now()
        if now >= attempt.expires_at:
            strict.reject(Reason.PASSKEY_CHALLENGE, "the challenge's time is over")
        return now
