"""Every security event, as one list: kinds, outcomes, reasons, and the one record they share.

A kind is `subject:action:outcome`. Never in an event: names, `sub` values, credential contents,
codes, tokens, addresses typed by a person, whole requests (design section 8).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What happened. A closed list: review, alerts and exports rely on it."""

    AUTHORIZATION_REFUSED = "authorization:request:refused"
    AUTHORIZATION_ISSUED = "authorization:code:issued"
    LOGIN_STARTED = "login:start:accepted"
    LOGIN_PINNED = "login:request:pinned"
    LOGIN_FRAME_REFUSED = "login:frame:refused"
    LOGIN_ADDRESS_CHANGED = "login:request:address_changed"
    PROOF_ACCEPTED = "login:proof:accepted"
    PROOF_REJECTED = "login:proof:rejected"
    PROOF_DECLINED = "login:proof:declined"
    RETURN_CODE_SHOWN = "login:return_code:shown"
    RETURN_CODE_REFUSED = "login:return_code:refused"
    LOGIN_NOT_ME = "login:person:disowned"
    LOGIN_REFUSED = "login:finish:refused"
    SESSION_SWAP = "login:browser:refused"
    SESSION_STARTED = "session:start:accepted"
    SESSION_ENDED = "session:end:done"
    CONSENT_GIVEN = "consent:grant:accepted"
    CONSENT_REFUSED = "consent:grant:refused"
    CONSENT_WITHDRAWN = "consent:grant:withdrawn"
    TOKEN_ISSUED = "token:issue:accepted"  # noqa: S105 - the name of a kind
    TOKEN_REFUSED = "token:issue:refused"  # noqa: S105 - the name of a kind
    TOKEN_EXCHANGED = "token:exchange:accepted"  # noqa: S105 - the name of a kind
    DEVICE_CODE_REFUSED = "device:code:refused"
    GRANT_ENDED = "token:grant:ended"
    CODE_REPLAYED = "token:code:replayed"
    REFRESH_REUSED = "token:refresh:reused"
    TOKEN_REJECTED = "token:use:refused"  # noqa: S105 - the name of a kind
    LOGOUT_REFUSED = "logout:request:refused"
    LOGOUT_DELIVERED = "logout:delivery:done"
    LOGOUT_DELAYED = "logout:delivery:delayed"  # one try failed, another follows
    LOGOUT_FAILED = "logout:delivery:failed"  # given up
    MOBILE_ID_OFFERED = "mobile_id:offer:made"
    MOBILE_ID_ISSUED = "mobile_id:issue:done"
    MOBILE_ID_REFUSED = "mobile_id:issue:refused"
    MOBILE_ID_STATE = "mobile_id:state:changed"
    PASSKEY_ADDED = "passkey:enrol:done"
    PASSKEY_REFUSED = "passkey:enrol:refused"
    PASSKEY_RENAMED = "passkey:name:changed"
    PASSKEY_STATE = "passkey:state:changed"  # suspended, live again, removed
    KEY_CHANGED = "key:state:changed"
    RELYING_PARTY_CHANGED = "relying_party:settings:changed"
    REGISTRATION_REFUSED = "relying_party:registration:refused"
    API_READ = "api:read:done"
    API_REFUSED = "api:request:refused"
    OUTSIDE_FAILED = "system:outside:failed"
    STORE_RESTORED = (
        "system:store:restored"  # a backup was put back, and an operator said how to go on
    )


class Reason(StrEnum):
    """Why. Stable words for pages, the help desk and rules; each has a translation."""

    NONE = "none"
    INTERNAL = "internal"
    CONFIGURATION = "configuration"
    OUTSIDE = "outside_system"
    BAD_REQUEST = "bad_request"
    REPEATED_PARAMETER = "repeated_parameter"
    TOO_LARGE = "too_large"
    RATE = "rate_limited"
    CSRF = "csrf"
    # relying parties
    CLIENT_UNKNOWN = "client_unknown"
    CLIENT_DISABLED = "client_disabled"
    CLIENT_AUTHENTICATION = "client_authentication"
    REDIRECT_URI = "redirect_uri"
    RESPONSE_TYPE = "response_type"
    RESPONSE_MODE = "response_mode"
    SCOPE = "scope"
    PKCE = "pkce"
    PKCE_REUSE = "pkce_reuse"
    PROMPT = "prompt"
    LOGIN_REQUIRED = "login_required"
    CONSENT_REQUIRED = "consent_required"
    ACR_UNMET = "acr_unmet"
    ID_TOKEN_HINT = "id_token_hint"  # noqa: S105 - the name of a reason
    REQUEST_OBJECT = "request_object"
    REQUEST_URI = "request_uri"
    RESOURCE = "resource"
    GRANT_UNKNOWN = "grant_unknown"
    GRANT_EXPIRED = "grant_expired"
    GRANT_REPLAYED = "grant_replayed"
    GRANT_CLIENT = "grant_of_other_client"
    GRANT_ENDED = "grant_ended"
    GRANT_TYPE = "grant_type"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - the name of a reason
    DPOP_PROOF = "dpop_proof"
    SENDER_KEY = "sender_key"  # a token, code or client with another key than its own
    REGISTRATION = "registration"  # it asked for what an administrator alone decides
    # logins
    LOGIN_UNKNOWN = "login_unknown"
    LOGIN_EXPIRED = "login_expired"
    LOGIN_STEP = "login_step"
    OTHER_BROWSER = "other_browser"
    FRAME_OLD = "frame_old"
    FRAME_FORGED = "frame_forged"
    FRAME_NOT_PINNED = "frame_not_pinned"
    DECLINED = "declined"
    DISOWNED = "disowned"
    RETURN_CODE_WRONG = "return_code_wrong"
    RETURN_CODE_TRIES = "return_code_tries"
    RESPONSE_CODE = "response_code"
    TOO_MANY_REJECTIONS = "too_many_rejections"
    # proofs, in the order of their checks
    PROOF_MALFORMED = "proof_malformed"
    PROOF_UNENCRYPTED = "proof_unencrypted"
    PROOF_DECRYPTION = "proof_decryption"
    PROOF_STATE = "proof_state"
    PROOF_QUERY = "proof_query"
    ISSUER_SIGNATURE = "issuer_signature"
    ISSUER_CHAIN = "issuer_chain"
    ISSUER_UNTRUSTED = "issuer_untrusted"
    CREDENTIAL_TYPE = "credential_type"
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_NOT_YET = "credential_not_yet"
    CREDENTIAL_CLAIMS = "credential_claims"
    DISCLOSURE = "disclosure"
    HOLDER_BINDING = "holder_binding"
    HOLDER_AUDIENCE = "holder_audience"
    HOLDER_NONCE = "holder_nonce"
    HOLDER_TIME = "holder_time"
    HOLDER_HASH = "holder_hash"
    STATUS_MISSING = "status_missing"
    STATUS_REVOKED = "status_revoked"
    STATUS_SUSPENDED = "status_suspended"
    STATUS_LIST = "status_list_invalid"
    STATUS_UNAVAILABLE = "status_unavailable"
    # passkeys as their method checks them
    PASSKEY_MALFORMED = "passkey_malformed"
    PASSKEY_CHALLENGE = "passkey_challenge"  # answers another sign-in, or one that it has answered
    PASSKEY_ORIGIN = "passkey_origin"  # made on another page, for another domain, in a frame
    PASSKEY_UNVERIFIED = "passkey_unverified"  # neither PIN nor body
    PASSKEY_BACKUP = "passkey_backup"  # backup flags at odds, or not as they were registered
    PASSKEY_UNKNOWN = "passkey_unknown"
    PASSKEY_SIGNATURE = "passkey_signature"
    PASSKEY_COUNTER = "passkey_counter"  # there may be a copy of it
    PASSKEY_ALGORITHM = "passkey_algorithm"
    PASSKEY_ATTESTATION = "passkey_attestation"  # nobody whom we trust vouches for the device
    PASSKEY_MODEL = "passkey_model"  # a model that is not taken
    # passkeys as the core keeps them
    PASSKEY_TRIES = "passkey_tries"
    PASSKEY_TIME = "passkey_time"
    PASSKEY_SUSPENDED = "passkey_suspended"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_LIMIT = "passkey_limit"
    PASSKEY_TAKEN = "passkey_taken"
    FRESH_SIGN_IN = "fresh_sign_in"
    PHONE_CUT_OFF = "phone_cut_off"  # the mobile ID of the phone that carries a passkey was stopped
    # people
    PERSON_UNKNOWN = "person_unknown"
    PERSON_AMBIGUOUS = "person_ambiguous"
    PERSON_RETIRED = "person_retired"
    PERSON_SUSPENDED = "person_suspended"
    PERSON_ON_LEAVE = "person_on_leave"
    PERSON_NOT_STARTED = "person_not_started"
    PERSON_STATE_UNKNOWN = "person_state_unknown"
    CUT_OFF = "cut_off"
    NOT_ADMITTED = "not_admitted"
    SESSION_OVER = "session_over"
    # issuance
    OFFER_UNKNOWN = "offer_unknown"
    OFFER_REPLAYED = "offer_replayed"
    TX_CODE_WRONG = "tx_code_wrong"
    TX_CODE_TRIES = "tx_code_tries"
    NONCE_INVALID = "nonce_invalid"
    HOLDER_PROOF = "holder_proof"
    REPLACED = "replaced"
    BY_OPERATOR = "by_operator"
    BY_PERSON = "by_person"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. Everything but `kind` is optional; ids are our own random ones."""

    kind: Kind
    reason: Reason = Reason.NONE
    journey: str = ""  # one sign-in, one story
    subject: str = ""  # the person's random internal id
    actor: str = ""  # who did it: an internal id, "automation:<client_id>", "cli:<login name>"
    relying_party: str = ""  # client_id
    method: str = ""
    acr: str = ""
    amr: tuple[str, ...] = ()
    session: str = ""  # session row id (not the cookie)
    mobile_id: str = ""
    address: str = ""  # source address
    network: str = ""  # named network of the configuration
    device: str = ""  # short summary of the browser
    key: str = ""  # kid
    data: Mapping[str, str] = field(default_factory=dict)  # few, short, non-personal facts
    passkey: str = ""  # our id of it

    @property
    def outcome(self) -> str:
        """The third part of the kind."""
        return self.kind.rsplit(":", 1)[1]
