"""The browser's answer: PublicKeyCredential.toJSON() as text (WebAuthn L3 §5.1.3, §5.1.4).

Only what authenticator and browser signed over counts. Of the rest, `authenticatorAttachment` and
`transports` are hints that cost nothing when they lie; client extension results are not read (A-197),
nor is the public key that a registration repeats outside its signed part.
"""

from dataclasses import dataclass
from typing import Any

from idp.contracts import JsonObject
from idp_fido2 import strict
from idp_fido2.authenticator_data import MAX_CREDENTIAL_ID

LIMIT = 64 * 1024  # characters of the whole answer (E7)
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})  # §5.8.4


@dataclass(frozen=True, slots=True)
class Credential:
    """An answer taken apart; nothing of it is verified yet."""

    id: bytes
    response: dict[str, Any]
    attachment: str  # "platform", "cross-platform" or ""

    def bytes_of(self, name: str) -> bytes:
        """A member of the response that must be base64url."""
        return strict.decode(self.response.get(name))

    def transports(self) -> tuple[str, ...]:
        """How the authenticator can be reached, of the words that there are."""
        said = self.response.get("transports")
        return (
            tuple(sorted(_TRANSPORTS.intersection(map(str, said))))
            if isinstance(said, list)
            else ()
        )


def read(answer: JsonObject) -> Credential:
    """The credential in an answer (untrusted form fields). ProofRejected(PASSKEY_MALFORMED)."""
    text = answer.get("credential")
    if not isinstance(text, str) or len(text) > LIMIT:
        strict.malformed("no credential of acceptable size")
    found = strict.load_object(text.encode("utf-8", "replace"))
    if found.get("type") != "public-key" or found.get("id") != found.get("rawId"):
        strict.malformed("not a public-key credential, or id is not rawId")
    credential_id = strict.decode(found.get("rawId"))
    if not 1 <= len(credential_id) <= MAX_CREDENTIAL_ID:
        strict.malformed("a credential id of a length that is not allowed")
    attachment = found.get("authenticatorAttachment")
    return Credential(
        id=credential_id,
        response=strict.member(found, "response"),
        attachment=attachment if isinstance(attachment, str) else "",
    )
