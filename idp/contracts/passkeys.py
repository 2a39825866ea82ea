"""Methods whose credentials are registered with us (WebAuthn)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from idp.contracts.methods import Attempt, LoginMethod, Step
from idp.contracts.people import Identifier
from idp.contracts.values import JsonObject
from idp.events import Reason


class PasskeyState(StrEnum):
    """The life of a passkey. LIVE <-> SUSPENDED -> REMOVED; REMOVED never revives."""

    LIVE = "live"
    SUSPENDED = "suspended"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A registered public-key credential, as the core keeps it."""

    id: str  # ours: pages and events name it
    credential_id: bytes  # the authenticator's, at most 1023 bytes
    user_handle: bytes  # random, one per person; says nothing
    identifier: Identifier  # the owner
    name: str  # as the owner calls it
    # The method's own: public key, counter ... Pages show two of it: `model` (a text, "" when it is
    # not known) and `synced` (whether copies of the key exist).
    data: JsonObject
    version: int  # of `data`
    mobile_id: str  # the mobile ID of the phone it lives on; "" when it is tied to none
    state: PasskeyState
    created_at: datetime
    used_at: datetime | None


class Passkeys(Protocol):
    """What a method may do with passkeys when it verifies one (SQL). OutsideError when it is away."""

    def find(self, credential_id: bytes) -> Passkey | None:
        """In whatever state; None when nobody has it."""
        ...

    def advance(self, passkey: Passkey, data: JsonObject) -> bool:
        """Compare and set: new `data` and a use, if it is still LIVE at `passkey.version`."""
        ...

    def suspend(self, passkey: Passkey, reason: Reason) -> None:
        """Out of use until its owner or an operator looks at it; with its event, which tells the owner."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a passkey is made."""

    user_handle: bytes
    name: str  # as the person's passkey manager shows it
    credential_ids: tuple[bytes, ...]  # that the person has: not to be made twice on one device


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What an enrolment gave; verified, and to be kept if nobody has the id."""

    credential_id: bytes
    data: JsonObject
    on_this_device: bool  # a platform authenticator: it may be tied to the phone's mobile ID


@runtime_checkable
class BrowserMethod(LoginMethod, Protocol):
    """A method whose answer comes from the browser that began (WebAuthn); its credentials are ours.

    `Step.page` holds `options`: PublicKeyCredentialRequestOptionsJSON or
    PublicKeyCredentialCreationOptionsJSON (WebAuthn L3 §5.1.8, §5.1.9), without allowCredentials.
    The answer holds `credential`: the JSON text of PublicKeyCredential.toJSON(). The core lets each
    Step be answered once, until `Attempt.expires_at`, by the browser that it was made for.
    """

    @property
    def rp_id(self) -> str:
        """The domain that its credentials belong to."""
        ...

    def begin_enrolment(self, attempt: Attempt, owner: Owner) -> Step:
        """The creation options for the page, and the state for the answer."""
        ...

    def complete_enrolment(
        self, attempt: Attempt, state: JsonObject, answer: JsonObject
    ) -> NewPasskey:
        """Verify a registration (WebAuthn L3 §7.1). ProofRejected with the check that failed."""
        ...


@runtime_checkable
class RelatedOrigins(Protocol):
    """A method whose credentials other hosts of the same agency may use (WebAuthn L3 §5.11)."""

    def related_origins(self) -> tuple[str, ...]:
        """Their origins, for `/.well-known/webauthn`; none: there is no such document."""
        ...
