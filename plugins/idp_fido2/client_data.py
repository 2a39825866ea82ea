"""What the browser says of the ceremony: clientDataJSON (WebAuthn L3 §5.8.1, §7.1 steps 5-12, §7.2 steps 8-14).

The browser, not the page, writes it, and the authenticator signs over its hash. What it does not say
exactly as expected is refused; members that we do not know are ignored, as §5.8.1 foresees.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from idp.events import Reason
from idp_fido2 import strict

LIMIT = 4096
Ceremony = Literal["webauthn.create", "webauthn.get"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What clientDataJSON must say."""

    ceremony: Ceremony
    challenge: str  # base64url
    origins: tuple[str, ...]


def check(raw: bytes, expected: Expected) -> bytes:
    """The hash that the authenticator signed over. ProofRejected."""
    # 1. It is JSON, and says nothing twice.
    if len(raw) > LIMIT:
        strict.malformed("clientDataJSON is too long")
    said = strict.load_object(raw)
    # 2. It is of this ceremony: a registration is no sign-in.
    if said.get("type") != expected.ceremony:
        strict.reject(Reason.PASSKEY_CHALLENGE, "clientDataJSON is of another ceremony")
    # 3. It answers our challenge.
    _check_challenge(said.get("challenge"), expected.challenge)
    # 4. It was made on a page of ours: one of a list, letter by letter (§13.4.9; A-190).
    if said.get("origin") not in expected.origins:
        strict.reject(Reason.PASSKEY_ORIGIN, "the origin is not one of ours")
    # 5. That page stood alone, in no other site's frame (§13.4.2; A-193).
    _check_alone(said)
    return sha256(raw).digest()


def _check_challenge(found: Any, ours: str) -> None:
    said = found.encode("utf-8", "replace") if isinstance(found, str) else b""
    if not hmac.compare_digest(said, ours.encode()):
        strict.reject(Reason.PASSKEY_CHALLENGE, "the challenge is not this sign-in's")


def _check_alone(said: dict[str, Any]) -> None:
    if said.get("crossOrigin", False) is not False:
        strict.reject(Reason.PASSKEY_ORIGIN, "crossOrigin is set")
    if "topOrigin" in said:
        strict.reject(Reason.PASSKEY_ORIGIN, "topOrigin is set")
