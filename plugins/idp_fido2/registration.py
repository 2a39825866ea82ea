"""A registration: every check, in the order of WebAuthn L3 §7.1."""

import hmac
from datetime import datetime

from idp.contracts import Attempt, JsonObject, NewPasskey
from idp.events import Reason
from idp_fido2 import attestation, authenticator_data, client_data, credential, keys, strict
from idp_fido2.attestation import Assessment, AttestationObject, Attestations
from idp_fido2.client_data import Expected
from idp_fido2.policy import Policy
from idp_fido2.record import Record


def verify(
    policy: Policy, attestations: Attestations, attempt: Attempt, answer: JsonObject, now: datetime
) -> NewPasskey:
    """The new passkey in an answer (untrusted form fields). ProofRejected."""
    # Steps 3, 4. A credential; its extension results are not read.
    found = credential.read(answer)
    # Steps 5-12. The browser says: a registration, our challenge, a page of ours, alone.
    expected = Expected("webauthn.create", attempt.nonce, policy.origins)
    client_data_hash = client_data.check(found.bytes_of("clientDataJSON"), expected)
    # Step 13. An attestation object; what it names is what the browser named.
    made = attestation.parse(found.bytes_of("attestationObject"))
    if not hmac.compare_digest(made.credential.credential_id, found.id):
        strict.malformed("the credential is another one than its id says")
    # Steps 14-18. Our domain; someone present and verified; flags of backup that make sense.
    authenticator_data.check(made.data, policy.rp_id_hash)
    # Step 20. A key of an algorithm that was offered.
    if keys.read(made.credential.public_key).ALGORITHM not in policy.algorithms:
        strict.reject(Reason.PASSKEY_ALGORITHM, "an algorithm that was not offered")
    # Steps 21-24. Who vouches for the authenticator, and whether its model is taken.
    assessment = attestations.assess(made, client_data_hash, now)
    # Step 25 was done in parsing (length of the id), step 26 is the register's (nobody has it).
    return NewPasskey(
        credential_id=found.id,
        data=_record(made, assessment, found.transports(), attempt.nonce).to_json(),
        on_this_device=found.attachment == "platform",
    )


def _record(
    made: AttestationObject, assessment: Assessment, transports: tuple[str, ...], nonce: str
) -> Record:
    """Step 27: the credential record (§4)."""
    return Record(
        public_key=made.credential.public_key,
        counter=made.data.counter,
        backup_eligible=made.data.backup_eligible,
        synced=made.data.backed_up,
        hardware_bound=assessment.hardware and not made.data.backup_eligible,
        aaguid=made.credential.aaguid,
        model=assessment.model,
        attestation=assessment.format,
        transports=transports,
        last=nonce,
    )
