"""The signing keys: one at work for each algorithm, none overdue, all opened by the sealing key."""

from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import Engine

from idp.conf import Settings
from idp.contracts import Use
from idp.doctor import certificates
from idp.doctor.finding import Finding, Level, fix, note, ok, warn
from idp.errors import ConfError
from idp.keys.register import KeyRow, read
from idp.keys.sealing import open_sealer
from idp.store.sql import transaction

_WHAT = "keys"
ROTATE_AFTER = timedelta(days=365)
OVERDUE_AFTER = timedelta(days=7)  # a next key that waits longer was forgotten


def examine(engine: Engine, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Rows are read and opened; nothing is made or changed."""
    with transaction(engine) as connection:
        rows = read(connection)
    if not rows:
        yield note(_WHAT, "none yet: the provider makes them at its first start")
        return
    sealed = _sealed(rows, settings)
    yield sealed
    if sealed.level is not Level.OK:
        return
    for algorithm in settings.keys.algorithms:
        yield from _algorithm(rows, algorithm, settings, now)
    for row in rows:
        if row.state == "active" and row.chain:
            certificate = x509.load_der_x509_certificate(b64decode(row.chain[0]))
            yield certificates.expiry(_WHAT, f"the {row.use} certificate", certificate, now)


def _sealed(rows: list[KeyRow], settings: Settings) -> Finding:
    """Whether our sealing key opens all of them."""
    file = settings.keys.key_encryption_key_file
    if not file.is_file():
        remedy = "put the sealing key back from its own backup; without it every key is lost"
        return fix(_WHAT, f"no file {file}", remedy)
    try:
        sealer = open_sealer(settings)
        for row in rows:
            sealer.unseal(row.sealed, row.use, row.kid)
    except ConfError as error:
        problem = error.problems[0]
        return fix(_WHAT, f"{file}: {problem.found}", problem.allowed)
    return ok(_WHAT, f"{len(rows)} open with {file}")


def _algorithm(
    rows: list[KeyRow], algorithm: str, settings: Settings, now: datetime
) -> Iterator[Finding]:
    ours = [row for row in rows if (row.use, row.algorithm) == (Use.OIDC, algorithm)]
    rotate = f"gongmu keys rotate --algorithm {algorithm}"
    active = next((row for row in ours if row.state == "active"), None)
    if active is None:
        yield fix(_WHAT, f"no {algorithm} key signs", "restart the provider, which makes one")
        return
    ready = next((row for row in ours if row.state == "next"), None)
    wait = timedelta(hours=settings.keys.next_before_use_h)
    age = now - (active.active_at or active.created_at)
    if ready is not None and now - ready.created_at > wait + OVERDUE_AFTER:
        yield warn(_WHAT, f"the next {algorithm} key waits since {ready.created_at:%F}", rotate)
    elif ready is None and age > ROTATE_AFTER:
        yield warn(_WHAT, f"the {algorithm} key signs since {age.days} days", f"{rotate}, twice")
    else:
        yield ok(_WHAT, f"{algorithm}: {active.kid} signs since {age.days} days")
