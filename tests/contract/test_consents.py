"""Consents on a real PostgreSQL: what is withdrawn while it is given anew stays withdrawn."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import Engine, delete, insert, select

from idp.conf import Stores
from idp.oidc import remembered
from idp.oidc.remembered import Wanted
from idp.store.sql import open_engine, transaction
from idp.store.tables import consents, metadata, subjects

pytestmark = pytest.mark.services
NOW = datetime(2027, 3, 5, tzinfo=UTC)


@pytest.fixture
def engine(postgres_database: str) -> Iterator[Engine]:
    made = open_engine(Stores(sql_url=postgres_database))
    metadata.create_all(made)
    yield made
    made.dispose()


def test_a_consent_that_is_withdrawn_meanwhile_is_not_brought_back(engine: Engine) -> None:
    app = Flask(__name__)
    app.extensions["gongmu"] = SimpleNamespace(now=lambda: NOW)

    def agree() -> None:
        with app.app_context(), transaction(engine) as connection:
            wanted = Wanted(frozenset({"openid"}), frozenset())
            remembered.keep(connection, "subject", "mail", wanted)

    with transaction(engine) as connection:
        person = {"id": "subject", "issuer": "x", "personnel_number": "1", "created_at": NOW}
        connection.execute(insert(subjects).values(**person))
        row = {"subject": "subject", "client_id": "mail", "given_at": NOW, "claims": ""}
        connection.execute(insert(consents).values(scope="openid profile email", **row))
    with engine.begin() as withdrawing:
        withdrawing.execute(delete(consents))
        agreeing = threading.Thread(target=agree)
        agreeing.start()
        agreeing.join(1)
        assert agreeing.is_alive()  # it waits for what we do
    agreeing.join(10)
    with engine.connect() as connection:
        assert connection.scalars(select(consents.c.scope)).all() == ["openid"]
