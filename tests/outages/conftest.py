"""One stack for all outages of this package: its stores are its own."""

from collections.abc import Iterator

import pytest

from tests.outages.stack import Stack, stack
from tests.servers import new_database, redis_server
from tests.servers_slapd import Authority, slapd
from tests.stack import demo_entries


@pytest.fixture(scope="package")
def shared(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    authority = Authority(tmp_path_factory.mktemp("outages-authority"))
    database = new_database(postgres_url, "outages")
    entries = demo_entries("esaram")
    with (
        slapd(entries, "dc=esaram,dc=example", authority) as directory,
        redis_server() as redis_url,
        stack(tmp_path_factory.mktemp("outages"), redis_url, database, directory) as running,
    ):
        yield running


@pytest.fixture
def whole(shared: Stack) -> Iterator[Stack]:
    """The stack, in order before; sound and working after."""
    shared.works_again()
    yield shared
    shared.works_again()
    shared.is_sound()
