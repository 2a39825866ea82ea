"""What a page says of each reason: a title, one obvious next step, a short code for the help desk.

Codes never change their meaning; a new reason takes a new number. Reasons that a stranger must not
tell apart have the same words and the same code (A-006; `LoginNotFound`). English here; the Korean
stands in `idp/translations`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from idp.events import Reason


def N_(text: str) -> str:  # noqa: N802  # the name that pybabel extracts; translated when it is shown
    """Marks a text for translation."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says of a reason, in English."""

    code: str
    title: str
    help: str


_DONE = N_("You can close this page.")
_WAIT = N_("Wait a minute, then try again.")
_TELL = N_("Try again in a moment. If it happens again, tell the help desk the code below.")
_DESK = N_("Tell the help desk the code below. Trying again will not help.")
_AGAIN = N_("Go back to the service you came from and sign in again.")
_RELOAD = N_("Go back one page, reload it, and try once more.")
_PARTY = N_("You did nothing wrong. Tell the staff of the service you came from the code below.")
_SCAN = N_("Make a new QR code and scan it with your phone straight away.")
_APP = N_("Update your mobile ID app, then sign in again. If it still fails, tell the help desk.")
_OTHER_ID = N_(
    "Sign in with the mobile ID that your agency issued. Ask the help desk for a new one."
)
_RENEW = N_("Ask your agency's issuing desk for a new mobile ID.")
_STOPPED = N_("If you reported a loss, this is as it should be. If not, call the help desk now.")
_STAFF = N_("Ask your personnel department to check your record.")
_CLOCK = N_("Set your phone's clock to automatic, then sign in again.")
_SAFE = N_("Nobody was signed in. If someone sent you that QR code, tell the help desk now.")
_STRONGER = N_("Sign in again on the phone itself that holds your mobile ID.")
_ONCE = N_("Try once more.")
_OTHER_WAY = N_("Sign in with your mobile ID instead.")
_SUSPENDED_KEY = N_(
    "Sign in with your mobile ID. If you do not know why it was stopped, call the help desk."
)
_NEW_KEY = N_("Sign in with your mobile ID, then add the passkey again under your account.")
_UNLOCK = N_("Set a PIN or a fingerprint on the device, then try again.")
_OTHER_PAGE = N_("Open the service you wanted by its own address, and sign in from there.")
_OTHER_DEVICE = N_("Use another device or security key. Your help desk knows which ones are taken.")
_OFFER = N_("Ask the issuing desk for a new offer.")
_ISSUE = N_("Start the issuance again in your mobile ID app.")

_GENERAL: dict[Reason, Words] = {
    Reason.NONE: Words("G-100", N_("All is well"), _DONE),
    Reason.INTERNAL: Words("G-101", N_("Something went wrong on our side"), _TELL),
    Reason.CONFIGURATION: Words("G-102", N_("This service is not set up correctly"), _DESK),
    Reason.OUTSIDE: Words("G-103", N_("A system we depend on does not answer"), _WAIT),
    Reason.BAD_REQUEST: Words("G-104", N_("We could not understand the request"), _AGAIN),
    Reason.REPEATED_PARAMETER: Words("G-105", N_("The request says one thing twice"), _PARTY),
    Reason.TOO_LARGE: Words("G-106", N_("What was sent is too large"), _AGAIN),
    Reason.RATE: Words("G-107", N_("Too many attempts in a short time"), _WAIT),
    Reason.CSRF: Words("G-108", N_("This form was not sent from our page"), _RELOAD),
}
_UNREGISTERED = Words("G-201", N_("The service you came from is not registered here"), _PARTY)
_PARTIES: dict[Reason, Words] = {
    Reason.CLIENT_UNKNOWN: _UNREGISTERED,
    Reason.CLIENT_DISABLED: _UNREGISTERED,
    Reason.CLIENT_AUTHENTICATION: Words("G-203", N_("The service could not prove itself"), _PARTY),
    Reason.REDIRECT_URI: Words("G-204", N_("The service gave an unregistered address"), _PARTY),
    Reason.RESPONSE_TYPE: Words("G-205", N_("The service asked in a way we do not allow"), _PARTY),
    Reason.RESPONSE_MODE: Words(
        "G-206", N_("The service wants its answer in a way we do not allow"), _PARTY
    ),
    Reason.SCOPE: Words("G-207", N_("The service asked for more than it may"), _PARTY),
    Reason.PKCE: Words("G-208", N_("The service left out a required protection"), _PARTY),
    Reason.PKCE_REUSE: Words("G-209", N_("The service used a one-time protection twice"), _PARTY),
    Reason.PROMPT: Words("G-210", N_("The service asked for things that contradict"), _PARTY),
    Reason.LOGIN_REQUIRED: Words("G-211", N_("You need to sign in first"), _AGAIN),
    Reason.CONSENT_REQUIRED: Words("G-212", N_("Your consent is needed first"), _AGAIN),
    Reason.ACR_UNMET: Words("G-213", N_("This service needs a stronger sign-in"), _STRONGER),
    Reason.ID_TOKEN_HINT: Words(
        "G-214", N_("The service named a sign-in that is not yours"), _AGAIN
    ),
    Reason.GRANT_UNKNOWN: Words("G-215", N_("We do not know this sign-in"), _AGAIN),
    Reason.GRANT_EXPIRED: Words("G-216", N_("The sign-in was not used in time"), _AGAIN),
    Reason.GRANT_REPLAYED: Words(
        "G-217", N_("The sign-in was used twice, so it was ended"), _AGAIN
    ),
    Reason.GRANT_CLIENT: Words("G-218", N_("The sign-in belongs to another service"), _AGAIN),
    Reason.GRANT_ENDED: Words("G-219", N_("The sign-in has ended"), _AGAIN),
    Reason.GRANT_TYPE: Words("G-220", N_("The service may not sign in this way"), _PARTY),
    Reason.TOKEN_INVALID: Words("G-221", N_("The service's pass is not valid"), _AGAIN),
    Reason.REGISTRATION: Words("G-240", N_("The service asked for more than it may have"), _PARTY),
    Reason.DPOP_PROOF: Words("G-230", N_("The service did not prove its key"), _PARTY),
    Reason.SENDER_KEY: Words("G-231", N_("The service came with another key"), _PARTY),
    Reason.REQUEST_OBJECT: Words("G-222", N_("The service's signed request is not valid"), _PARTY),
    Reason.REQUEST_URI: Words("G-223", N_("This request is over or was used before"), _AGAIN),
    Reason.RESOURCE: Words("G-224", N_("The service asked for a system it may not use"), _PARTY),
}
_NO_LOGIN = Words("G-301", N_("This sign-in is not open in this browser"), _AGAIN)
_LOGINS: dict[Reason, Words] = {
    Reason.LOGIN_UNKNOWN: _NO_LOGIN,
    Reason.OTHER_BROWSER: _NO_LOGIN,
    Reason.LOGIN_EXPIRED: Words("G-303", N_("The time for this sign-in has passed"), _AGAIN),
    Reason.LOGIN_STEP: Words("G-304", N_("This sign-in is already at another step"), _AGAIN),
    Reason.FRAME_OLD: Words("G-305", N_("That QR code is out of date"), _SCAN),
    Reason.FRAME_FORGED: Words("G-306", N_("That QR code is not ours"), _SAFE),
    Reason.FRAME_NOT_PINNED: Words("G-307", N_("Another phone scanned this QR code first"), _SCAN),
    Reason.DECLINED: Words("G-308", N_("The sign-in was cancelled"), _AGAIN),
    Reason.DISOWNED: Words("G-309", N_("The phone's owner said: this was not me"), _SAFE),
    Reason.RETURN_CODE_WRONG: Words("G-310", N_("The code does not match"), _RELOAD),
    Reason.RETURN_CODE_TRIES: Words("G-311", N_("The code was wrong three times"), _AGAIN),
    Reason.RESPONSE_CODE: Words("G-312", N_("This approval was opened elsewhere"), _SAFE),
    Reason.TOO_MANY_REJECTIONS: Words("G-313", N_("The mobile ID was refused three times"), _APP),
}
_PROOFS: dict[Reason, Words] = {
    Reason.PROOF_MALFORMED: Words("G-401", N_("We could not read the app's answer"), _APP),
    Reason.PROOF_UNENCRYPTED: Words("G-402", N_("The app's answer was not encrypted"), _APP),
    Reason.PROOF_DECRYPTION: Words("G-403", N_("The app's answer could not be decrypted"), _APP),
    Reason.PROOF_STATE: Words("G-404", N_("The app answered another sign-in"), _SCAN),
    Reason.PROOF_QUERY: Words("G-405", N_("The app did not send what was asked for"), _OTHER_ID),
    Reason.ISSUER_SIGNATURE: Words("G-406", N_("The mobile ID's seal is not genuine"), _RENEW),
    Reason.ISSUER_CHAIN: Words("G-407", N_("The issuer's certificate is not valid"), _DESK),
    Reason.ISSUER_UNTRUSTED: Words(
        "G-408", N_("This ID is from an issuer we do not trust"), _OTHER_ID
    ),
    Reason.CREDENTIAL_TYPE: Words("G-409", N_("This is not a mobile ID for officials"), _OTHER_ID),
    Reason.CREDENTIAL_EXPIRED: Words("G-410", N_("Your mobile ID has expired"), _RENEW),
    Reason.CREDENTIAL_NOT_YET: Words("G-411", N_("Your mobile ID is not valid yet"), _RENEW),
    Reason.CREDENTIAL_CLAIMS: Words("G-412", N_("Your mobile ID lacks some data"), _RENEW),
    Reason.DISCLOSURE: Words(
        "G-413", N_("The data of the mobile ID does not match its seal"), _RENEW
    ),
    Reason.HOLDER_BINDING: Words("G-414", N_("This mobile ID belongs to another phone"), _RENEW),
    Reason.HOLDER_AUDIENCE: Words("G-415", N_("The app answered another service"), _SCAN),
    Reason.HOLDER_NONCE: Words("G-416", N_("The app sent an answer from earlier"), _SCAN),
    Reason.HOLDER_TIME: Words("G-417", N_("Your phone's clock is wrong"), _CLOCK),
    Reason.HOLDER_HASH: Words("G-418", N_("The app's signature does not match its answer"), _APP),
    Reason.STATUS_MISSING: Words("G-419", N_("This mobile ID cannot be checked for loss"), _RENEW),
    Reason.STATUS_REVOKED: Words("G-420", N_("This mobile ID has been revoked"), _RENEW),
    Reason.STATUS_SUSPENDED: Words("G-421", N_("This mobile ID is suspended"), _STOPPED),
    Reason.STATUS_LIST: Words("G-422", N_("The list of lost IDs is not valid"), _DESK),
    Reason.STATUS_UNAVAILABLE: Words("G-423", N_("The list of lost IDs cannot be reached"), _WAIT),
}
_PASSKEYS: dict[Reason, Words] = {
    Reason.PASSKEY_MALFORMED: Words(
        "G-721", N_("We could not read the passkey's answer"), _OTHER_WAY
    ),
    Reason.PASSKEY_CHALLENGE: Words("G-722", N_("The passkey answered another sign-in"), _ONCE),
    Reason.PASSKEY_ORIGIN: Words(
        "G-723", N_("The passkey was used on a page that is not ours"), _OTHER_PAGE
    ),
    Reason.PASSKEY_UNVERIFIED: Words(
        "G-724", N_("The passkey did not check that it is you"), _UNLOCK
    ),
    Reason.PASSKEY_BACKUP: Words("G-725", N_("The passkey is not as it was registered"), _NEW_KEY),
    Reason.PASSKEY_UNKNOWN: Words("G-726", N_("We do not know this passkey"), _NEW_KEY),
    Reason.PASSKEY_SIGNATURE: Words(
        "G-727", N_("The passkey's signature is not genuine"), _NEW_KEY
    ),
    Reason.PASSKEY_COUNTER: Words(
        "G-728", N_("There may be a copy of this passkey"), _SUSPENDED_KEY
    ),
    Reason.PASSKEY_ALGORITHM: Words(
        "G-729", N_("This device makes passkeys that we do not take"), _OTHER_DEVICE
    ),
    Reason.PASSKEY_ATTESTATION: Words(
        "G-730", N_("Your agency cannot tell whether this device is genuine"), _OTHER_DEVICE
    ),
    Reason.PASSKEY_MODEL: Words(
        "G-731", N_("Your agency does not take passkeys of this model"), _OTHER_DEVICE
    ),
    Reason.PASSKEY_TRIES: Words("G-701", N_("The passkey was refused three times"), _OTHER_WAY),
    Reason.PASSKEY_TIME: Words("G-702", N_("The passkey answered too late"), _ONCE),
    Reason.PASSKEY_SUSPENDED: Words("G-703", N_("This passkey is suspended"), _SUSPENDED_KEY),
    Reason.PASSKEY_REMOVED: Words("G-704", N_("This passkey was removed"), _OTHER_WAY),
    Reason.PASSKEY_LIMIT: Words(
        "G-705",
        N_("You have as many passkeys as are allowed"),
        N_("Remove one that you no longer use, then add the new one."),
    ),
    Reason.PASSKEY_TAKEN: Words(
        "G-706",
        N_("This passkey is registered already"),
        N_("Use another device or security key, or remove the passkey from it first."),
    ),
    Reason.FRESH_SIGN_IN: Words(
        "G-707",
        N_("Please sign in once more first"),
        N_(
            "Passkeys can be changed for five minutes after a sign-in, so that nobody else does it."
        ),
    ),
    Reason.PHONE_CUT_OFF: Words(
        "G-708", N_("The mobile ID of that phone has been stopped"), _SUSPENDED_KEY
    ),
}
_PEOPLE: dict[Reason, Words] = {
    Reason.PERSON_UNKNOWN: Words("G-501", N_("The personnel directory does not know you"), _STAFF),
    Reason.PERSON_AMBIGUOUS: Words("G-502", N_("The directory has you more than once"), _STAFF),
    Reason.PERSON_RETIRED: Words(
        "G-503", N_("The directory says you have left the service"), _STAFF
    ),
    Reason.PERSON_SUSPENDED: Words("G-504", N_("The directory says you are suspended"), _STAFF),
    Reason.PERSON_ON_LEAVE: Words("G-505", N_("The directory says you are on leave"), _STAFF),
    Reason.PERSON_NOT_STARTED: Words("G-506", N_("Your appointment has not begun yet"), _STAFF),
    Reason.PERSON_STATE_UNKNOWN: Words("G-507", N_("Your employment state is unclear"), _STAFF),
    Reason.CUT_OFF: Words("G-508", N_("Your access has been stopped"), _STOPPED),
    Reason.NOT_ADMITTED: Words("G-509", N_("You may not use this service"), _PARTY),
    Reason.SESSION_OVER: Words("G-510", N_("You have been signed out"), _AGAIN),
}
_ISSUANCE: dict[Reason, Words] = {
    Reason.OFFER_UNKNOWN: Words("G-601", N_("We do not know this mobile ID offer"), _OFFER),
    Reason.OFFER_REPLAYED: Words("G-602", N_("This offer has already been used"), _OFFER),
    Reason.TX_CODE_WRONG: Words("G-603", N_("The issuance code does not match"), _ISSUE),
    Reason.TX_CODE_TRIES: Words("G-604", N_("The issuance code was wrong too often"), _OFFER),
    Reason.NONCE_INVALID: Words("G-605", N_("The issuance took too long"), _ISSUE),
    Reason.HOLDER_PROOF: Words("G-606", N_("The app could not prove its key"), _APP),
    Reason.REPLACED: Words("G-607", N_("A newer mobile ID has taken its place"), _OTHER_ID),
    Reason.BY_OPERATOR: Words("G-608", N_("An administrator ended it"), _STOPPED),
    Reason.BY_PERSON: Words("G-609", N_("You ended it yourself"), _DONE),
    Reason.EXPIRED: Words("G-610", N_("Its time has passed"), _AGAIN),
}

_RETRY = frozenset(
    {
        _AGAIN,
        _SCAN,
        _WAIT,
        _RELOAD,
        _CLOCK,
        _STRONGER,
        _SAFE,
        _APP,
        _OTHER_ID,
        _ONCE,
        _OTHER_WAY,
        _NEW_KEY,
        _UNLOCK,
    }
)
_ONCE_MORE = N_("Press the button to sign in again. You come back to the same service.")
MISSING_CODE = "G-109"  # no page at this address
OFFLINE_CODE = "G-110"  # the browser cannot reach us; said by the page itself
CAMERA_CODE = "G-111"  # a camera opened what is meant for the mobile ID app


def may_retry(words: Words) -> bool:
    """Whether signing in again may help; else the next step is elsewhere."""
    return words.help in _RETRY


def step_at_desk(words: Words) -> str:
    """The next step on a page that has the button for it."""
    return _ONCE_MORE if words.help == _AGAIN else words.help


WORDS: Mapping[Reason, Words] = (
    _GENERAL | _PARTIES | _LOGINS | _PROOFS | _PASSKEYS | _PEOPLE | _ISSUANCE
)
