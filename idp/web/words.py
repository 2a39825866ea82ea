"""Words for values that pages show: reasons, strengths of a sign-in, scopes, claims."""

from collections.abc import Mapping

from flask_babel import gettext

from idp.events import Kind, Reason
from idp.web import reasons
from idp.web.reasons import N_, WORDS, Words

_ACR = {
    "urn:gongmu:acr:1": N_("QR code"),
    "urn:gongmu:acr:2": N_("QR code and confirmed device"),
    "phr": N_("Resistant to phishing"),
    "phrh": N_("Resistant to phishing, key in hardware"),
}
_STATES = {
    "offered": N_("Offered, not on a phone yet"),
    "live": N_("In use"),
    "suspended": N_("Suspended"),
    "revoked": N_("Ended"),
}
_PASSKEY_CHANGES = {
    "live": N_("Added, or in use again"),
    "suspended": N_("Suspended: it opens nothing now"),
    "removed": N_("Removed"),
}
_HAPPENED: Mapping[str, str] = {
    Kind.SESSION_STARTED: N_("Signed in"),
    Kind.SESSION_ENDED: N_("Signed out"),
    Kind.LOGIN_REFUSED: N_("Sign-in refused"),
    Kind.LOGIN_NOT_ME: N_("You said: this was not me"),
    Kind.PASSKEY_ADDED: N_("Passkey added"),
    Kind.PASSKEY_REFUSED: N_("Passkey not added"),
    Kind.PASSKEY_STATE: N_("Passkey suspended, reinstated or removed"),
}
_METHODS = {
    "mobile_id": N_("Mobile ID"),
    "fido2": N_("Passkey"),
    "device": N_("Code on a device"),
}
_METHOD_TEXTS = {
    "mobile_id": N_("Scan a QR with the phone that carries your ID."),
    "fido2": N_("Touch your security key, or use the screen lock of this device."),
}
_SCOPES = {
    "openid": N_("A number by which this service recognises you"),
    "profile": N_("Your name, agency, department and rank"),
    "email": N_("Your work mail address"),
    "groups": N_("The groups you belong to"),
    "phone": N_("Your work telephone number"),
    "offline_access": N_("Staying signed in while you are away"),
}
_CLAIMS = {
    "sub": N_("Identifier for this service"),
    "name": N_("Name"),
    "preferred_username": N_("Sign-in name"),
    "email": N_("Mail address"),
    "email_verified": N_("Whether the mail address is confirmed"),
    "agency": N_("Agency"),
    "department": N_("Department"),
    "rank": N_("Rank"),
    "groups": N_("Groups"),
    "personnel_number": N_("Personnel number"),
    "phone_number": N_("Telephone number"),
    "portrait": N_("Photograph"),
    "date_of_issuance": N_("Date of issuance"),
    "issuing_authority": N_("Issuing authority"),
}


def _words_of(reason: str) -> Words:
    """The words of a reason; one from a newer version of ours reads as a fault of ours."""
    known = reason in Reason.__members__.values()
    return WORDS[Reason(reason) if known else Reason.INTERNAL]


def reason_text(reason: str) -> str:
    """What was wrong, as a title."""
    return str(gettext(_words_of(reason).title))


def reason_help(reason: str) -> str:
    """The one next step."""
    return str(gettext(_words_of(reason).help))


def reason_step(reason: str) -> str:
    """The one next step, on a page of the login that has a button for it."""
    return str(gettext(reasons.step_at_desk(_words_of(reason))))


def may_retry(reason: str) -> bool:
    """Whether signing in again may help."""
    return reasons.may_retry(_words_of(reason))


def reason_code(reason: str) -> str:
    """The short code for the help desk, e.g. "G-217"."""
    return _words_of(reason).code


def method_title(method: str) -> str:
    """What a way to sign in is called."""
    return _named(_METHODS, method)


def method_text(method: str) -> str:
    """What the person does, in a sentence."""
    return str(gettext(_METHOD_TEXTS[method])) if method in _METHOD_TEXTS else ""


def state_text(state: str) -> str:
    """The state of a mobile ID."""
    return _named(_STATES, state)


def passkey_change_text(state: str) -> str:
    """What happened to a passkey that is in this state now."""
    return _named(_PASSKEY_CHANGES, state)


def happened_text(kind: str) -> str:
    """What an event of one's own was."""
    return _named(_HAPPENED, kind)


def _named(table: Mapping[str, str], name: str) -> str:
    return str(gettext(table[name])) if name in table else name


def acr_text(acr: str) -> str:
    """How strong a sign-in was, in words."""
    return _named(_ACR, acr)


def scope_text(scope: str) -> str:
    """What a scope lets a relying party have; a scope of its own stays as it is."""
    return _named(_SCOPES, scope)


def claim_text(claim: str) -> str:
    """What a claim is, in words; one without words stays as it is."""
    return _named(_CLAIMS, claim)
