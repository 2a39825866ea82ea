"""What a plugin or an adapter sees of the provider, and what the provider asks of them.

Three kinds of parts, found by entry point and switched on by a table in the configuration:

* a *method* (`idp.methods`): a way to prove who one is. It has no routes, pages, store or session.
* a *site* (`idp.sites`): a service of its own with one blueprint under one prefix (issuer, wallet, gate).
* a *directory* (`idp.directories`) and a *relying-party adapter* (`idp.relying_parties`): faces of systems outside.

An entry point names frozen pydantic settings (`Openable`) that can build the part. Values that come
from outside are untrusted unless the docstring says otherwise. Times are aware datetimes in UTC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from idp.events import Event, Reason

JsonObject = Mapping[str, Any]
T_co = TypeVar("T_co", covariant=True)


class Use(StrEnum):
    """What a signing key is for."""

    OIDC = "oidc"
    VERIFIER = "verifier"
    ISSUER = "issuer"


# The mobile ID as a credential (SD-JWT VC): the data of the plastic card, each selectively disclosable.
MOBILE_ID_VCT = "urn:gongmu:credential:mobile-id:1"
MOBILE_ID_CONFIGURATION = "mobile-id"  # credential_configuration_id at the issuer
NUMBER_CLAIM = "personnel_number"
MOBILE_ID_CLAIMS = (
    "name",
    "agency",
    "department",
    "rank",
    NUMBER_CLAIM,
    "portrait",  # data:image/jpeg;base64,... ; left out when the directory has no photo
    "date_of_issuance",  # YYYY-MM-DD
    "issuing_authority",  # the issuing body's name
)


# --- people -------------------------------------------------------------------------------------


class State(StrEnum):
    """Employment state as a directory source maps it. Only ACTIVE passes the account gate."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ON_LEAVE = "on_leave"
    RETIRED = "retired"
    NOT_STARTED = "not_started"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A person as a credential names one: issuer and number belong together (R-034)."""

    issuer: str  # e.g. "https://id.example.go.kr"; the credential's `iss`
    number: str  # the stable personnel number


@dataclass(frozen=True, slots=True)
class Official:
    """A person as the directory knows one, read at sign-in and never stored."""

    source: str  # name of the directory source, e.g. "esaram"
    personnel_number: str
    state: State
    name: str
    agency: str
    department: str
    rank: str
    mail: str  # "" when none
    groups: tuple[str, ...]  # plain group names, sorted
    photo: bytes | None = None  # JPEG
    attributes: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # the entry, by LDAP name


@runtime_checkable
class Directory(Protocol):
    """One directory source. Every call raises OutsideError when it cannot tell."""

    name: str

    def find(self, personnel_number: str) -> Official | None:
        """Exactly one entry or None; more than one entry raises AccessDenied(PERSON_AMBIGUOUS)."""
        ...

    def search(self, text: str, limit: int) -> list[Official]:
        """Entries whose name, number or mail contains `text` ("" means all), at most `limit`."""
        ...

    def check(self) -> None:
        """Does nothing, or raises OutsideError (for /readyz and doctor)."""
        ...


class RelyingPartyAdapter(Protocol):
    """A kind of relying party: who may enter, what it is told."""

    def admit(self, official: Official) -> None:
        """Does nothing, or raises AccessDenied."""
        ...

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:
        """Claims beyond the core's scopes; protocol claims in it are ignored."""
        ...


# --- methods ------------------------------------------------------------------------------------


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


# --- methods whose credentials are registered with us -------------------------------------------


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


# --- sites --------------------------------------------------------------------------------------


class MobileIdState(StrEnum):
    """The life of a mobile ID. OFFERED -> LIVE <-> SUSPENDED -> REVOKED; REVOKED never revives."""

    OFFERED = "offered"
    LIVE = "live"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class MobileId:
    """A mobile ID as the register holds it."""

    id: str
    personnel_number: str
    source: str  # directory source of the holder
    state: MobileIdState
    status_list: int  # number n of /status/<n>
    status_index: int  # random, unique in its list; -1 while only offered
    key_thumbprint: str  # RFC 7638 of the holder's key; "" while only offered
    created_at: datetime
    expires_at: datetime


class MobileIds(Protocol):
    """The register of mobile IDs (SQL). Every change writes its event in the same transaction."""

    def holder(self, personnel_number: str) -> Official:
        """The active official with that number. AccessDenied with the reason otherwise."""
        ...

    def offer(self, personnel_number: str, actor: str, expires_at: datetime) -> MobileId:
        """A new OFFERED row for an active official. AccessDenied."""
        ...

    def issue(self, mobile_id: str, key_thumbprint: str) -> MobileId:
        """OFFERED -> LIVE with a fresh random status index.

        The person's former live one is revoked (reason replaced) in the same transaction.
        AccessDenied when it is no longer OFFERED or the person is not active.
        """
        ...

    def get(self, mobile_id: str) -> MobileId | None: ...

    def states(self, status_list: int) -> Mapping[int, MobileIdState] | None:
        """Index -> state of every index given out in that list; None when there is no such list."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer of Short.take: `first` is true for exactly one caller."""

    value: str
    first: bool


class Short(Protocol):
    """Short-lived values (Redis), always with a time to live. OutsideError when it is away.

    Keys given by a site are namespaced by the core. Values are text (JSON by habit). What was
    written on another Redis primary reads as absent (design section 3).
    """

    def put(self, key: str, value: str, ttl_s: int) -> None: ...

    def put_new(self, key: str, value: str, ttl_s: int) -> bool:
        """Writes only when absent; true for exactly one caller (replay stores)."""
        ...

    def get(self, key: str) -> str | None: ...

    def take(self, key: str, remember_s: int = 0) -> Taken | None:
        """Atomically use once. With `remember_s`, later callers get the value with first=False."""
        ...

    def replace(self, key: str, old: str, new: str) -> bool:
        """Compare and set, keeping the time to live; false when `old` is not what stands there."""
        ...

    def count(self, key: str, window_s: int) -> int:
        """Counts this call; the number of calls in the window that began with the first."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """A status read from our own register."""

    state: MobileIdState
    mobile_id: str


@dataclass(frozen=True, slots=True)
class Kit:
    """What the core gives to whatever it opens."""

    base_url: str  # the issuer, no trailing slash
    now: Callable[[], datetime]
    token: Callable[[int], str]  # n random bytes, base64url without padding
    sign: Callable[[JsonObject, str, Use], str]  # (claims, typ, use) -> compact JWS with kid or x5c
    certificates: Callable[[Use], tuple[bytes, ...]]  # DER, leaf first, root left out
    trust_anchors: Callable[[Use], tuple[bytes, ...]]  # DER of our own root for that use
    fetch: Callable[[str, str], bytes]  # guarded GET (url, accept): 3 s, 1 MiB, no redirects
    own_status: Callable[[str, int], Status | None]  # (status list uri, index); None: not ours


@dataclass(frozen=True, slots=True)
class MethodKit(Kit):
    """What a method gets beside: the passkeys that people registered."""

    passkeys: Passkeys = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class SiteKit(Kit):
    """What a site gets beside: its short-lived store, the register of mobile IDs, the journal."""

    short: Short = field(kw_only=True)
    mobile_ids: MobileIds = field(kw_only=True)
    record: Callable[[Event], str] = field(kw_only=True)  # gives the event's id


@dataclass(frozen=True, slots=True)
class Site:
    """A service of its own. `blueprint` is a flask.Blueprint whose rules are whole paths."""

    blueprint: Any
    prefixes: tuple[str, ...]  # what its rules begin with: ("/issuer", "/status")
    well_known: Mapping[str, Callable[[], JsonObject]]  # "openid-credential-issuer" -> document
    service: object = None  # an extra ability (CredentialOffers), asked for with isinstance


@dataclass(frozen=True, slots=True)
class Offer:
    """An offered mobile ID, as the API answers it."""

    id: str
    credential_offer_uri: str  # "openid-credential-offer://?credential_offer_uri=..."
    tx_code: str
    expires_at: datetime


@runtime_checkable
class CredentialOffers(Protocol):
    """The ability to offer a mobile ID to a person (the issuer site's service)."""

    def make_offer(self, personnel_number: str, actor: str) -> Offer:
        """AccessDenied when the person is unknown or not active."""
        ...


class Openable(Protocol[T_co]):
    """An entry point: frozen pydantic settings that can build the part."""

    def open(self, kit: Any) -> T_co: ...
