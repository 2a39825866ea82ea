"""Who a verified person is to us, and whether they may enter the service that this login is for."""

from flask_babel import gettext

from idp.contracts import Identifier, Official
from idp.errors import AccessDenied
from idp.events import Reason
from idp.login import Person, Ticket
from idp.people import must_be_active
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.web import qr_page


def party_of(ticket: Ticket) -> RelyingParty:
    """The relying party of a login. AccessDenied when it was removed or disabled meanwhile."""
    party = services().relying_parties.get(ticket.request.client_id)
    if party is None or party.disabled:
        raise AccessDenied("relying party gone", reason=Reason.CLIENT_DISABLED)
    return party


def service_name(ticket: Ticket) -> str:
    """What the person signs in to, as pages say it."""
    if not ticket.request.client_id:  # a page of ours, for nobody else
        return str(gettext("My account"))
    return qr_page.localized_name(party_of(ticket))


def person_of(person_issuer: str, official: Official) -> Person:
    """The person behind a verified identifier, with our own id for them."""
    identifier = Identifier(person_issuer, official.personnel_number)
    subject = services().people.subject_id(identifier)
    return Person(subject, official.source, official.personnel_number, official.name)


def must_be_admitted(official: Official, ticket: Ticket) -> None:
    """The account gate: AccessDenied unless active, and let in by the relying party's adapter.

    Whether the person was cut off is asked by `Sessions.start`, in the transaction of the session;
    for a session that is there already the same gate is `oidc/gate.py`.
    """
    must_be_active(official)
    if not ticket.own_page:
        services().adapters[party_of(ticket).kind].admit(official)
