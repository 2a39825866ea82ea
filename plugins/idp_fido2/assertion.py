"""A sign-in: every check, in the order of WebAuthn L3 §7.2, but the look-up after what needs none.

Someone without the key learns nothing: an unknown id, a removed passkey and another person's handle are
one answer (A-196), and no state of a passkey is told, or changed, before its signature was verified.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from idp.contracts import Attempt, JsonObject, Passkey, Passkeys, PasskeyState, Proof
from idp.events import Reason
from idp_fido2 import authenticator_data, client_data, credential, keys, strict
from idp_fido2.attestation import Attestations
from idp_fido2.authenticator_data import AuthenticatorData
from idp_fido2.client_data import Expected
from idp_fido2.credential import Credential
from idp_fido2.policy import Policy
from idp_fido2.record import Record


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies sign-ins. Holds only what is the same for all of them."""

    policy: Policy
    attestations: Attestations
    passkeys: Passkeys

    def verify(self, attempt: Attempt, answer: JsonObject, now: datetime) -> Proof:
        """The proof in an answer (untrusted form fields). ProofRejected, OutsideError."""
        # Steps 3, 4, 7. A credential; its extension results are not read.
        found = credential.read(answer)
        # Steps 8-14. The browser says: a sign-in, our challenge, a page of ours, alone.
        expected = Expected("webauthn.get", attempt.nonce, self.policy.origins)
        client_data_hash = client_data.check(found.bytes_of("clientDataJSON"), expected)
        # Steps 15-18. Our domain; someone present and verified; flags of backup that make sense.
        data = authenticator_data.parse(found.bytes_of("authenticatorData"))
        authenticator_data.check(data, self.policy.rp_id_hash)
        if data.credential is not None:
            strict.malformed("a sign-in that carries a new credential")
        # Steps 5, 6. A passkey that somebody has, named by its owner's handle.
        passkey = self._find(found)
        record = Record.from_json(passkey.data)
        # Steps 20, 21. Signed by its key.
        key = keys.read(record.public_key)
        keys.verify(key, data.raw + client_data_hash, found.bytes_of("signature"))
        # Now it is the owner's own device that answers: it may be told more.
        if passkey.state is not PasskeyState.LIVE:
            strict.reject(Reason.PASSKEY_SUSPENDED, "the passkey is suspended")
        self.attestations.check_model(record.aaguid, now)
        # Step 19. It is still of the kind that was registered.
        if data.backup_eligible is not record.backup_eligible:
            strict.reject(Reason.PASSKEY_BACKUP, "backup eligibility has changed")
        # Step 22. Its counter has risen: there is no copy.
        self._check_counter(passkey, record, data, attempt)
        # Step 24. The record follows, once.
        self._advance(passkey, data, attempt)
        return _proof(passkey, record, now)

    def _find(self, found: Credential) -> Passkey:
        handle = found.bytes_of("userHandle")
        passkey = self.passkeys.find(found.id)
        if (
            passkey is None
            or passkey.state is PasskeyState.REMOVED
            or not hmac.compare_digest(passkey.user_handle, handle)
        ):
            strict.reject(Reason.PASSKEY_UNKNOWN, "no such passkey of this person")
        return passkey

    def _check_counter(
        self, passkey: Passkey, record: Record, data: AuthenticatorData, attempt: Attempt
    ) -> None:
        """§6.1.1: zero for ever, or higher each time."""
        if hmac.compare_digest(record.last, attempt.nonce):  # a double click is no copy
            strict.reject(Reason.PASSKEY_CHALLENGE, "this sign-in has been answered")
        if data.counter > record.counter or data.counter == record.counter == 0:
            return
        if self.policy.counter == "suspend":
            self.passkeys.suspend(passkey, Reason.PASSKEY_COUNTER)
        strict.reject(Reason.PASSKEY_COUNTER, "the counter has not risen: there may be a copy")

    def _advance(self, passkey: Passkey, data: AuthenticatorData, attempt: Attempt) -> None:
        changed = {"counter": data.counter, "synced": data.backed_up, "last": attempt.nonce}
        if not self.passkeys.advance(passkey, {**passkey.data, **changed}):
            strict.reject(Reason.PASSKEY_CHALLENGE, "the passkey was used at the same moment")


def _proof(passkey: Passkey, record: Record, now: datetime) -> Proof:
    """What happened, in the words of RFC 8176.

    A key and, by PIN or body, its owner: two factors. Whether hardware keeps the key ("hwk") is only said
    where someone vouches for it, and that software does ("swk") where copies may exist.
    """
    amr, means = {"pop", "user", "mfa"}, {"user_verified"}
    if record.hardware_bound:
        amr.add("hwk")
        means.add("hardware_bound")
    elif record.backup_eligible:
        amr.add("swk")
    return Proof(
        identifier=passkey.identifier,
        amr=frozenset(amr),
        means=frozenset(means),
        at=now,
        passkey=passkey.id,
    )
