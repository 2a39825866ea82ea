"""Few fixtures, all explicit: real servers and running providers, one of each per test run."""

import itertools
from collections.abc import Iterator

import pytest

from tests.provider import Provider, start_demo
from tests.servers import new_database, postgres_server, redis_server

_numbers = itertools.count(1)


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
    return new_database(postgres_url, f"test_{next(_numbers)}")


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
