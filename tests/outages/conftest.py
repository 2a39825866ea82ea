"""One stack for all outages of this package: its stores are its own."""

from collections.abc import Iterator

import pytest

from tests.outages.stack import Stack, stack
from tests.servers import new_database, redis_server
from tests.servers_slapd import Authority, Slapd, slapd
from tests.stack import demo_entries


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    authority = Authority(tmp_path_factory.mktemp("outages-authority"))
    with slapd(demo_entries("esaram"), "dc=esaram,dc=example", authority) as server:
        yield server


@pytest.fixture(scope="package")
def shared(
    postgres_url: str, directory: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    database = new_database(postgres_url, "outages")
    folder = tmp_path_factory.mktemp("outages")
    with redis_server() as redis_url, stack(folder, redis_url, database, directory) as running:
        yield running


@pytest.fixture(scope="module")
def killable(
    postgres_url: str, directory: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One that others do not need. It is patient: a worker that starts on a busy machine is slow."""
    database = new_database(postgres_url, "outages_killed")
    folder = tmp_path_factory.mktemp("killed")
    with redis_server() as redis_url, stack(folder, redis_url, database, directory, 3) as running:
        yield running
        running.works_again(20)
        running.is_sound()


@pytest.fixture
def whole(restored: Stack) -> Stack:
    """The stack, in order before as well."""
    restored.works_again()
    return restored


@pytest.fixture
def restored(shared: Stack) -> Iterator[Stack]:
    """The stack, working and sound after."""
    yield shared
    shared.works_again()
    shared.is_sound()
