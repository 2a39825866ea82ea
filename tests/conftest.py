"""Few fixtures, all explicit: real servers and running providers, one of each per test run."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.provider import Provider, start_demo
from tests.servers import new_database, postgres_server, redis_server
from tests.servers_slapd import Authority, Slapd, slapd


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """What a test sets up for logs (a command run in this process) ends with the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis: redis://127.0.0.1:<port>/0, shared by the tests of this run."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL with a database of this run: postgresql+psycopg://…."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> str:
    """An empty database of one's own in that server."""
    return new_database(postgres_url, "test")


@pytest.fixture(scope="module")
def sql_url(postgres_url: str) -> str:
    """The same for all the tests of a module."""
    return new_database(postgres_url, "module")


@pytest.fixture(scope="session")
def demo() -> Iterator[Provider]:
    """`gongmu demo` on http://localhost:<port>."""
    provider = start_demo()
    try:
        yield provider
    finally:
        provider.child.stop()


@pytest.fixture(scope="session")
def demo_https() -> Iterator[Provider]:
    """`gongmu demo --https`, with its own small certificate authority."""
    provider = start_demo("--https")
    try:
        yield provider
    finally:
        provider.child.stop()


@pytest.fixture(scope="session")
def personnel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A real slapd with the demo's central-government people, over TLS."""
    from tests.stack import demo_entries

    authority = Authority(tmp_path_factory.mktemp("authority"))
    with slapd(demo_entries("esaram"), "dc=esaram,dc=example", authority) as server:
        yield server


@pytest.fixture(scope="session")
def served(
    postgres_url: str, personnel: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """`gongmu serve` with two workers on a Redis of its own, PostgreSQL and slapd."""
    from tests.stack import ldap_table, ldif_table, start_stack

    database = new_database(postgres_url, "gongmu_served")
    directories = ldap_table("esaram", personnel) + ldif_table("insarang")
    with redis_server() as redis:
        folder = tmp_path_factory.mktemp("gongmu")
        provider = start_stack(folder, redis, database, directories)
        try:
            yield provider
        finally:
            provider.child.stop()
