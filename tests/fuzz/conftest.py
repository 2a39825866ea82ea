"""One provider with every feature on, on PostgreSQL, Redis and the demo's people; rates are out of the way."""

from collections.abc import Iterator

import pytest

from tests.provider import Provider
from tests.servers import new_database
from tests.stack import ldif_table, start_stack

RATES = "logins = 10000000\nnonces = 10000000\npictures = 10000000\n"
FEATURES = """[grants]
device = true
token_exchange = true
[registration]
enabled = true
"""


@pytest.fixture(scope="session")
def fuzzed(
    postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """Its output is its own, so that it can be searched for secrets."""
    directories = "".join(map(ldif_table, ("esaram", "insarang"))) + FEATURES
    database = new_database(postgres_url, "gongmu_fuzzed")
    folder = tmp_path_factory.mktemp("fuzzed")
    redis = redis_url.removesuffix("/0") + "/9"
    provider = start_stack(folder, redis, database, directories, rates=RATES)
    try:
        yield provider
    finally:
        provider.child.stop()
