"""The provider as the method sees it: a kit whose passkeys live in memory."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from idp.contracts import (
    Attempt,
    Identifier,
    JsonObject,
    MethodKit,
    NewPasskey,
    Owner,
    Passkey,
    PasskeyState,
    Proof,
)
from idp.errors import ProofRejected
from idp.events import Reason
from idp_fido2 import Fido2Method, Fido2Settings
from tests.fakes.security_key import SecurityKey, form

ORIGIN = "https://id.example.go.kr"
PERSON = Identifier("https://id.example.go.kr", "2026-0001")


class Register:
    """`contracts.Passkeys` in memory."""

    def __init__(self, now: Any) -> None:
        self.rows: dict[bytes, Passkey] = {}
        self.suspended: list[tuple[str, Reason]] = []
        self._now = now

    def add(self, owner: Owner, new: NewPasskey) -> Passkey:
        passkey = Passkey(
            id=secrets.token_urlsafe(8),
            credential_id=new.credential_id,
            user_handle=owner.user_handle,
            identifier=PERSON,
            name="열쇠",
            data=new.data,
            version=0,
            mobile_id="",
            state=PasskeyState.LIVE,
            created_at=self._now(),
            used_at=None,
        )
        self.rows[new.credential_id] = passkey
        return passkey

    def change(self, credential_id: bytes, **changes: Any) -> None:
        self.rows[credential_id] = replace(self.rows[credential_id], **changes)

    def find(self, credential_id: bytes) -> Passkey | None:
        return self.rows.get(credential_id)

    def advance(self, passkey: Passkey, data: JsonObject) -> bool:
        row = self.rows[passkey.credential_id]
        if row.version != passkey.version or row.state is not PasskeyState.LIVE:
            return False
        changes = {"data": data, "version": row.version + 1, "used_at": self._now()}
        self.change(passkey.credential_id, **changes)
        return True

    def suspend(self, passkey: Passkey, reason: Reason) -> None:
        self.suspended.append((passkey.id, reason))
        self.change(passkey.credential_id, state=PasskeyState.SUSPENDED)


class Scene:
    """A person with a key, at a provider. `key` is what the person touches."""

    def __init__(self, **settings: Any) -> None:
        self.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
        self.register = Register(lambda: self.now)
        self.kit = MethodKit(
            ORIGIN,
            lambda: self.now,
            secrets.token_urlsafe,
            _no,
            _no,
            _no,
            _no,
            _no,
            passkeys=self.register,
        )
        self.settings = settings
        self.method = self.open(**settings)
        self.key = SecurityKey(ORIGIN)
        self.owner = Owner(secrets.token_bytes(32), "김공무", ())

    def open(self, **settings: Any) -> Fido2Method:
        return Fido2Settings.model_validate(settings).open(self.kit)

    def change(self, **settings: Any) -> None:
        """The provider is restarted with other settings."""
        self.method = self.open(**{**self.settings, **settings})

    def attempt(self) -> Attempt:
        return Attempt(
            id=secrets.token_urlsafe(16),
            nonce=secrets.token_urlsafe(32),
            expires_at=self.now + timedelta(seconds=120),
        )

    # --- registration ---------------------------------------------------------------------------

    def enrol(self, key: SecurityKey | None = None, **spoilt: Any) -> NewPasskey:
        """What the method says to a registration, which the register then keeps."""
        attempt = self.attempt()
        options = self.method.begin_enrolment(attempt, self.owner).page["options"]
        answer = (key or self.key).create(options, **spoilt)
        new = self.method.complete_enrolment(attempt, {}, form(answer))
        self.register.add(self.owner, new)
        return new

    def enrolment_refused(self, **spoilt: Any) -> Reason:
        with pytest.raises(ProofRejected) as caught:
            self.enrol(**spoilt)
        return caught.value.reason

    # --- sign-in --------------------------------------------------------------------------------

    def sign_in(self, key: SecurityKey | None = None, **spoilt: Any) -> Proof:
        attempt = self.attempt()
        options = self.method.begin(attempt).page["options"]
        return self.complete(attempt, (key or self.key).get(options, **spoilt))

    def complete(self, attempt: Attempt, answer: Mapping[str, Any]) -> Proof:
        return self.method.complete(attempt, {}, form(answer))

    def refused(self, **spoilt: Any) -> Reason:
        """Why a sign-in is refused."""
        with pytest.raises(ProofRejected) as caught:
            self.sign_in(**spoilt)
        return caught.value.reason

    def answer_refused(self, attempt: Attempt, answer: Mapping[str, Any]) -> Reason:
        with pytest.raises(ProofRejected) as caught:
            self.complete(attempt, answer)
        return caught.value.reason


def _no(*_: Any) -> Any:
    raise AssertionError("passkeys ask nothing of this")
