"""What the attacks on the QR have in common: people with mobile IDs, desks that are closed again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.attacks.holder import Answer, Held, fetched
from tests.attacks.registrar import Registrar, registrar
from tests.desk import Desk, Phone
from tests.provider import Provider
from tests.servers import new_database
from tests.unit.oidc.running import Running, running


@pytest.fixture(scope="session")
def demo(served: Provider) -> Provider:
    """Two workers on real stores, in place of the demo's embedded ones."""
    return served


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    """A provider in this process, on real stores: its clock, people and register are the test's."""
    with running(tmp_path_factory.mktemp("gongmu"), redis_url, sql_url) as provider:
        yield provider


@pytest.fixture(scope="package")
def held(demo: Provider) -> Held:
    """A mobile ID that stays live as long as nobody else takes one for this person."""
    return Held.receive(demo, demo.person(index=8))


@pytest.fixture(scope="package")
def provider(
    redis_url: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registrar]:
    """A production provider with self-registration."""
    database = new_database(postgres_url, "registration")
    with registrar(tmp_path_factory.mktemp("registrar"), redis_url, database) as found:
        yield found


@pytest.fixture
def new_desk(demo: Provider) -> Iterator[Callable[..., Desk]]:
    """Makes desks, each a browser of its own with a QR on its screen."""
    with ExitStack() as stack:

        def start(**changed: str) -> Desk:
            return stack.enter_context(Desk(demo)).start(**changed)

        yield start


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


@pytest.fixture
def phone(demo: Provider) -> Iterator[Phone]:
    with Phone(demo) as browser:
        yield browser


@pytest.fixture
def answer(desk: Desk, held: Held) -> Answer:
    """A good answer to that desk's QR, not yet sent."""
    return fetched(held, desk.wallet_link)
