"""`/readyz` and `/metrics`: quick whatever hangs, in detail only for who may monitor (A-275); names of places."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.browser import network
from idp.conf import Network, Server
from idp.web.readiness import PATIENCE_S
from tests.unit.oidc.scene import World

OUTSIDE = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_a_directory_that_hangs_costs_a_second_and_one_thread(world: World) -> None:
    over = threading.Event()
    asked = []

    def check() -> None:
        asked.append(1)
        over.wait(20)

    world.directory.check = check
    with world.browser() as browser:
        try:
            for _ in range(2):
                began = time.monotonic()
                answer = browser.get("/readyz")
                assert time.monotonic() - began < PATIENCE_S + 0.8
                assert answer.status_code == 503
                stores = answer.json["stores"]
                assert stores["directory"] == "unavailable"
                assert stores["sql"] == "ok"
        finally:
            over.set()
        assert len(asked) == 1
        time.sleep(0.1)
        assert browser.get("/readyz").status_code == 200


def test_a275_strangers_learn_no_more_than_whether_it_is_ready(world: World) -> None:
    with world.browser() as browser:
        answer = browser.get("/readyz", environ_base=OUTSIDE)
        assert answer.json == {"ready": True}
        assert browser.get("/metrics", environ_base=OUTSIDE).status_code == 404
        assert browser.get("/metrics").status_code == 200
        assert "stores" in browser.get("/readyz").json


def test_a112_an_address_that_the_caller_writes_opens_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, server=Server(trusted_proxies=("198.51.100.1/32",)))
    with world.browser() as browser:
        for header in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
            answer = browser.get("/metrics", headers=header, environ_base=OUTSIDE)
            assert answer.status_code == 404
    world.close()


@pytest.mark.parametrize(
    ("address", "name"),
    [("10.20.1.1", "floor 3"), ("10.21.1.1", "Sejong"), ("2001:db8::1", "far"), ("192.0.2.1", "")],
)
def test_a_place_has_the_name_of_the_first_network_that_holds_it(
    tmp_path: Path, address: str, name: str
) -> None:
    named = {"10.20.0.0/16": "floor 3", "10.0.0.0/8": "Sejong", "2001:db8::/32": "far"}
    networks = tuple(Network(cidr=cidr, name=called) for cidr, called in named.items())
    world = World(tmp_path, networks=networks)
    try:
        with world.app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            assert network() == name
    finally:
        world.close()
