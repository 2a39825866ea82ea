"""What the browser is asked: creation and request options as JSON (WebAuthn L3 §5.1.8, §5.1.9).

`parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` read them. The person is always to be
verified, and the credential always one that is found without a name: neither is a setting.
"""

from datetime import datetime
from typing import Any

from idp.contracts import Attempt, JsonObject, Owner
from idp_fido2 import strict
from idp_fido2.policy import Policy


def request(attempt: Attempt, rp_id: str, now: datetime) -> JsonObject:
    """For a sign-in. No list of credentials: it would tell who has which (A-198)."""
    return {
        "challenge": attempt.nonce,
        "rpId": rp_id,
        "userVerification": "required",
        "timeout": _timeout_ms(attempt, now),
    }


def creation(attempt: Attempt, owner: Owner, policy: Policy, now: datetime) -> JsonObject:
    """For a registration."""
    return {
        "rp": {"id": policy.rp_id, "name": policy.rp_name},
        "user": {
            "id": strict.encode(owner.user_handle),
            "name": owner.name,
            "displayName": owner.name,
        },
        "challenge": attempt.nonce,
        "pubKeyCredParams": [_typed(alg=number) for number in policy.algorithms],
        "excludeCredentials": [_typed(id=strict.encode(one)) for one in owner.credential_ids],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": policy.conveyance,
        "timeout": _timeout_ms(attempt, now),
    }


def _typed(**members: Any) -> JsonObject:
    return {"type": "public-key", **members}


def _timeout_ms(attempt: Attempt, now: datetime) -> int:
    return max(0, int((attempt.expires_at - now).total_seconds() * 1000))
