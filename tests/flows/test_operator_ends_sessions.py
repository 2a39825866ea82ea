"""An operator sees where a person is signed in, and ends one session or all (`gongmu session`)."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import GONGMU, Provider

pytestmark = pytest.mark.services


def session(demo: Provider, *command: str) -> subprocess.CompletedProcess[str]:
    """`gongmu session` on the running provider's configuration."""
    file = demo.conf_file or Path(demo.trust_anchors["issuer"]).parent / "gongmu.toml"
    line = [GONGMU, "--config", str(file), "session", *command]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def told(demo: Provider, *command: str) -> Any:
    done = session(demo, *command, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_session_or_all_of_a_person(demo: Provider) -> None:
    number = demo.person(index=7)
    held = Held.receive(demo, number)
    told(demo, "end", "--person", number)
    mark = demo.last_event()
    with Desk(demo) as first, Desk(demo) as second, Desk(demo) as third:
        tokens = []
        for desk in (first, second, third):
            desk.start()
            where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
            tokens.append(desk.redeem(desk.answered(where)["code"]).json()["access_token"])
        listed = [row["id"] for row in told(demo, "list", "--person", number)]
        assert len(listed) == 3
        assert told(demo, "end", listed[0]) == {"ended": [listed[0]]}
        assert sorted(alive(demo, token) for token in tokens) == [False, True, True]
        assert session(demo, "end", listed[0]).returncode == 1
        assert sorted(told(demo, "end", "--person", number)["ended"]) == sorted(listed[1:])
        assert not any(alive(demo, token) for token in tokens)
        assert {desk.client.get("/account").status_code for desk in (first, second, third)} == {401}
    seen = demo.events_after(mark)
    ended = [event for event in seen if event["kind"] == "session:end:done"]
    assert {event["reason"] for event in ended} == {"by_operator"}
    assert all(event["actor"].startswith("cli:") for event in ended)
    assert session(demo, "end").returncode == 2
    assert told(demo, "list", "--person", "E9999999") == []


def alive(demo: Provider, token: str) -> bool:
    with demo.client() as client:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/oauth/userinfo", headers=headers).status_code == 200
