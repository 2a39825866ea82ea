"""The account gate for everything that rests on a session: authorize, code, refresh, userinfo (I-11)."""

import time

from idp import browser
from idp.contracts import Official
from idp.cutoff import gate as not_cut_off
from idp.errors import AccessDenied
from idp.events import Reason
from idp.people import must_be_active
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction

MOMENT_S = 0.1  # of the second within which a cut-off holds everywhere


def admit(session: Session, party: RelyingParty) -> Official:
    """The official behind a session, who may act now and may enter there.

    AccessDenied otherwise, OutsideError when the directory or SQL cannot tell: unknown means no.
    """
    parts = services()
    begun = time.monotonic()
    official = parts.people.current(  # 1. the directory still has the person
        session.source, session.personnel_number, parts.settings.lifetimes.directory_state_s
    )
    must_be_active(official)  # 2. in service
    if session.cut_off:  # 3. not cut off since signing in: read with the session, a moment ago
        raise AccessDenied("cut off since", reason=Reason.CUT_OFF)
    if time.monotonic() - begun > MOMENT_S:  # the directory was slow: that is long ago
        with transaction(parts.engine) as connection:
            not_cut_off(connection, session.subject, session.authenticated_at)
    parts.adapters[party.kind].admit(official)  # 4. let in by the relying party
    return official


def admit_browser(session: Session, party: RelyingParty) -> Official:
    """The same for the session of this browser, which a refused person loses.

    Else the next person at a shared desk would be refused with the former one's session.
    """
    try:
        return admit(session, party)
    except AccessDenied as error:
        error.journey, error.relying_party = session.journey, party.client_id
        if error.reason is not Reason.NOT_ADMITTED:
            services().sessions.end(session.id, error.reason)
            browser.set_session_cookie("")
        raise
