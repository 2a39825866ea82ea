"""What a person agreed to, and taking it back: the consent and what was granted by it end together."""

from typing import Any

from sqlalchemy import Connection, delete, select, update

from idp import browser
from idp.events import Event, Kind, Reason
from idp.registration import is_client_id
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction, utc
from idp.store.tables import consents, grants
from idp.web import qr_page


def of(subject: str) -> list[dict[str, Any]]:
    """The newest first."""
    query = (
        select(consents)
        .where(consents.c.subject == subject)
        .order_by(consents.c.given_at.desc(), consents.c.client_id)
    )
    with transaction(services().engine) as connection:
        rows = connection.execute(query).all()
    return [
        {
            "client_id": row.client_id,
            "relying_party": _name(row.client_id),
            "scopes": row.scope.split(),
            "claims": row.claims.split(),
            "when": utc(row.given_at),
        }
        for row in rows
    ]


def withdraw(mine: Session, client_id: str) -> None:
    """Delete the consent, end its live grants, write the events: one transaction, or nothing."""
    parts = services()
    if not is_client_id(client_id):  # no text of any other form is looked up
        return
    with transaction(parts.engine) as connection:
        gone = connection.execute(
            delete(consents)
            .where(consents.c.subject == mine.subject, consents.c.client_id == client_id)
            .returning(consents.c.scope)
        ).one_or_none()
        if gone is None:
            return
        for ended in _end_grants(connection, mine.subject, client_id):
            parts.journal.record(connection, ended)
        withdrawn = Event(
            Kind.CONSENT_WITHDRAWN,
            subject=mine.subject,
            actor=mine.subject,
            relying_party=client_id,
            session=mine.id,
            address=browser.address(),
            network=browser.network(),
            data={"scope": gone.scope},
        )
        parts.journal.record(connection, withdrawn)


def _end_grants(connection: Connection, subject: str, client_id: str) -> list[Event]:
    """What the relying party still holds by this consent (refresh tokens) ends with it."""
    rows = connection.execute(
        update(grants)
        .where(
            grants.c.subject == subject,
            grants.c.client_id == client_id,
            grants.c.ended_at.is_(None),
        )
        .values(ended_at=services().now(), end_reason=Reason.BY_PERSON.value)
        .returning(grants.c.session)
    ).all()
    return [
        Event(
            Kind.GRANT_ENDED,
            reason=Reason.BY_PERSON,
            subject=subject,
            session=row.session,
            relying_party=client_id,
        )
        for row in rows
    ]


def _name(client_id: str) -> str:
    party = services().relying_parties.get(client_id)
    return qr_page.localized_name(party) if party else client_id
