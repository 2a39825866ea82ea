"""Front-channel logout: the signed-out page calls each relying party in a frame (OIDC Front-Channel Logout 1.0).

For programs that cannot be reached from here. Best effort by its nature: a browser that keeps third
parties' cookies back shows them nobody to sign out. The back channel is the one that is made sure of.
"""

from urllib.parse import urlencode

from sqlalchemy import Engine, select

from idp.store.sql import transaction
from idp.store.tables import grants, relying_parties, sessions


def addresses(engine: Engine, issuer: str, session_id: str) -> list[str]:
    """What to load for a session that ends, with `iss` and `sid` (§3). OutsideError when SQL is away.

    One for each relying party that had a grant in it, or in a session that it took over.
    """
    address = relying_parties.c.settings["frontchannel_logout_uri"].as_string()
    query = (
        select(address.label("uri"), sessions.c.id)
        .distinct()
        .join_from(grants, sessions, sessions.c.id == grants.c.session)
        .join(relying_parties, relying_parties.c.client_id == grants.c.client_id)
        .where((sessions.c.id == session_id) | (sessions.c.successor == session_id), address != "")
        .order_by("uri")
    )
    with transaction(engine) as connection:
        rows = connection.execute(query).all()
    return [_with(row.uri, {"iss": issuer, "sid": row.id}) for row in rows]


def _with(uri: str, fields: dict[str, str]) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(fields)}"
