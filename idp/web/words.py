"""Words for values that pages show: reasons, strengths of a sign-in, scopes, claims."""

from flask_babel import gettext

from idp.events import Reason
from idp.web.reasons import N_, WORDS, Words

_ACR = {
    "urn:gongmu:acr:1": N_("QR code"),
    "urn:gongmu:acr:2": N_("QR code and confirmed device"),
    "phr": N_("Resistant to phishing"),
    "phrh": N_("Resistant to phishing, key in hardware"),
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


def reason_code(reason: str) -> str:
    """The short code for the help desk, e.g. "G-217"."""
    return _words_of(reason).code


def _named(table: dict[str, str], name: str) -> str:
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
