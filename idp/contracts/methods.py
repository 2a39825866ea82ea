"""Ways to prove who one is: two calls, with the state handed back in between."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from idp.contracts.people import Identifier
from idp.contracts.values import JsonObject


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login, as a method sees it."""

    id: str  # 128 random bits, base64url; may be logged
    nonce: str  # 256 random bits, base64url, new at each begin(); binds the proof
    expires_at: datetime
    response_uri: str = ""  # where a wallet posts: "<issuer>/vp/<handle>/response"


@dataclass(frozen=True, slots=True)
class Step:
    """What begin() gives: values for the page, and state that complete() gets back."""

    page: JsonObject
    state: JsonObject  # JSON-serialisable; opaque to the core; kept in Redis


@dataclass(frozen=True, slots=True)
class Proof:
    """What happened, never what it is worth: configuration maps (method, means) to acr."""

    identifier: Identifier
    amr: frozenset[str]  # RFC 8176 values
    means: frozenset[
        str
    ]  # "hardware_bound", "user_verified" ...; the core adds "qr", "same_device"
    at: datetime
    credential: str = ""  # our mobile-ID id where we issued it (through Kit.own_status), else ""
    passkey: str = ""  # our id of the passkey that made it, else ""


class LoginMethod(Protocol):
    """A way to prove who one is. Keeps nothing between the two calls."""

    def begin(self, attempt: Attempt) -> Step:
        """Start; cheap, no outside calls."""
        ...

    def complete(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        """Verify the answer (untrusted form fields). ProofRejected, ProofDeclined, OutsideError."""
        ...


@runtime_checkable
class WalletMethod(LoginMethod, Protocol):
    """A method whose answer comes from a wallet by OpenID4VP."""

    def link_query(self, request_uri: str) -> str:
        """The query of the link in the QR: client_id, request_uri, request_uri_method (VP §5)."""
        ...

    def request_object(self, attempt: Attempt, state: JsonObject, wallet: JsonObject) -> str:
        """The signed request object; `wallet` holds untrusted wallet_nonce, wallet_metadata."""
        ...


@runtime_checkable
class BrowserWalletMethod(WalletMethod, Protocol):
    """A wallet method for which the browser itself can ask, beside the QR of the same login.

    A page offers it only where the Digital Credentials API is: `"DigitalCredential" in window` and
    `DigitalCredential.userAgentAllowsProtocol(protocol)` is not false. Upon a click it calls
    `navigator.credentials.get({mediation: "required", digital: browser_request})` and posts the field
    `credential`, the JSON text of `{protocol: c.protocol, data: c.data}`, to an address that the login's
    cookie guards: it stands for the wallet's `state`. The proof has the means "dc_api"; nobody types a
    return code. A person who says no, and a browser that has no wallet, reject the promise (NotAllowedError):
    nothing is posted, and the QR is still there.
    """

    def browser_request(self, attempt: Attempt, state: JsonObject) -> JsonObject:
        """DigitalCredentialRequestOptions, signed for our origin (OpenID4VP 1.0 Appendix A)."""
        ...

    def complete_in_browser(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        """Verify it (untrusted form fields). ProofRejected, ProofDeclined, OutsideError."""
        ...
