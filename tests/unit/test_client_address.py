"""Whose address an event names: the connection's, or what a proxy of ours says in its header."""

from pathlib import Path

import pytest

from idp import browser
from idp.conf import Server
from tests.unit.oidc.scene import World

PROXIES = ("198.51.100.0/24",)
ADDRESSES = [
    ("203.0.113.9", {}, "203.0.113.9"),
    ("203.0.113.9", {"X-Forwarded-For": "10.0.0.1"}, "203.0.113.9"),  # not from a proxy of ours
    ("198.51.100.1", {"X-Forwarded-For": "203.0.113.9"}, "203.0.113.9"),
    ("198.51.100.1", {"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}, "203.0.113.9"),  # made up, real
    (
        "198.51.100.1",
        {"X-Forwarded-For": "203.0.113.9, 198.51.100.2"},
        "203.0.113.9",
    ),  # two proxies
    ("198.51.100.1", {"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
    ("198.51.100.1", {"X-Forwarded-For": "nobody"}, ""),
    ("198.51.100.1", {}, "198.51.100.1"),
]


@pytest.mark.parametrize(("peer", "headers", "expected"), ADDRESSES)
def test_a112_the_address_behind_a_proxy(
    tmp_path: Path, peer: str, headers: dict[str, str], expected: str
) -> None:
    world = World(tmp_path, server=Server(trusted_proxies=PROXIES))
    assert seen(world, peer, headers) == expected
    world.close()


def test_a112_a_header_of_the_proxys_own(tmp_path: Path) -> None:
    """A name without a hyphen has no second spelling that a client could send beside it."""
    world = World(tmp_path, server=Server(trusted_proxies=PROXIES, address_header="RealAddress"))
    sent = {"X-Forwarded-For": "10.0.0.1", "RealAddress": "203.0.113.9"}
    assert seen(world, "198.51.100.1", sent) == "203.0.113.9"
    assert seen(world, "198.51.100.1", {"X-Forwarded-For": "10.0.0.1"}) == "198.51.100.1"
    world.close()


def test_a_unix_socket_is_the_proxys(tmp_path: Path) -> None:
    world = World(tmp_path, server=Server(unix_socket=tmp_path / "socket"))
    sent = {"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}
    assert seen(world, "", sent) == "203.0.113.9"
    world.close()


def seen(world: World, peer: str, headers: dict[str, str]) -> str:
    environ = {"REMOTE_ADDR": peer}
    with world.app.test_request_context("/", headers=headers, environ_base=environ):
        return browser.address()
