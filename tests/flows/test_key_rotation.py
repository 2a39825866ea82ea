"""Keys change under load: no token is ever invalid by plan, none counts after an emergency (F-15, I-8)."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from joserfc import jwk, jwt

from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, Desk
from tests.provider import GONGMU, Provider
from tests.servers import redis_server
from tests.stack import ldif_table, start_stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
LOOK_S = 5.5  # how late a worker may know (keys.ring.LOOK_EVERY)
KILLED_S = 60.0
CONNECTIONS = 12  # new ones: whichever worker takes them


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Two workers, with keys that no other test needs."""
    folder = tmp_path_factory.mktemp("rotated")
    directories = ldif_table("esaram") + ldif_table("insarang")
    with redis_server() as redis_url:
        provider = start_stack(folder, redis_url, f"sqlite:///{folder}/gongmu.db", directories)
        try:
            yield provider
        finally:
            provider.child.stop()


def keys(served: Provider, *command: str) -> dict[str, str]:
    """`gongmu keys` on this provider's configuration."""
    line = [GONGMU, "--config", str(served.conf_file), "keys", *command, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


def published(served: Provider) -> list[dict[str, Any]]:
    """The keys that every worker publishes."""
    sets = []
    for _ in range(CONNECTIONS):
        with served.client() as client:
            sets.append(client.get("/oauth/jwks").json()["keys"])
    return [key for key in sets[0] if all(key in others for others in sets)]


def kid_of(token: str) -> str:
    return str(decode(token)[0]["kid"])


@dataclass
class Traffic:
    """A relying party that signs in, refreshes and asks, again and again; what it got, what failed."""

    served: Provider
    desk: Desk
    refresh_token: str
    tokens: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stopped.is_set():
            self.sign_in()
            self._refresh()

    def sign_in(self) -> None:
        """A code by the session of the browser, its tokens, userinfo, introspection."""
        request = Desk(self.served)
        request.client.close()
        request.client = self.served.client(cookies=dict(self.desk.client.cookies))
        with request:
            answered = request.answered(request.get(request.authorization_url(prompt="none")))
            self._used(request.redeem(answered["code"]))

    def _refresh(self) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        self.refresh_token = self._used(self._post("/oauth/token", **form))["refresh_token"]

    def _used(self, answer: httpx.Response) -> dict[str, Any]:
        """Every token of this answer is kept, and used at once at whichever worker."""
        told: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            self.faults.append(answer.text)
            return {"refresh_token": self.refresh_token}
        self.tokens += [told["access_token"], told["id_token"]]
        if userinfo(self.served, told["access_token"]) != 200:
            self.faults.append("userinfo")
        if not self._post("/oauth/introspect", token=told["access_token"]).json()["active"]:
            self.faults.append("introspection")
        return told

    def _post(self, path: str, **form: str) -> httpx.Response:
        mine = {name: self.desk.registered[name] for name in ("client_id", "client_secret")}
        with self.served.client() as client:
            return client.post(path, data={**form, **mine})


def userinfo(served: Provider, token: str) -> int:
    with served.client() as client:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/oauth/userinfo", headers=headers).status_code


def is_refused_everywhere(served: Provider, token: str) -> bool:
    return {userinfo(served, token) for _ in range(CONNECTIONS)} == {401}


@pytest.fixture
def traffic(served: Provider) -> Iterator[Traffic]:
    held = Held.receive(served, served.person())
    with Desk(served) as desk:
        desk.start(acr_values=ACR_QR, scope="openid profile offline_access")
        where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        tokens = desk.redeem(desk.answered(where)["code"]).json()
        made = Traffic(served, desk, tokens["refresh_token"])
        thread = threading.Thread(target=made.run)
        thread.start()
        try:
            yield made
        finally:
            made.stopped.set()
            thread.join()


def verify_all(tokens: list[str], known: list[dict[str, Any]], issuer: str) -> None:
    """As a relying party does that has kept these keys; joserfc is not what signs."""
    key_set = jwk.KeySet.import_key_set({"keys": [key for key in known if key["alg"] == "ES256"]})
    for token in tokens:
        assert jwt.decode(token, key_set, algorithms=["ES256"]).claims["iss"] == issuer


def test_f15_i8_a_planned_rotation_and_an_emergency(served: Provider, traffic: Traffic) -> None:
    next_kid = keys(served, "rotate")["kid"]
    time.sleep(LOOK_S)
    kept = published(served)  # the oldest that a party may hold a day later, when it signs
    assert next_kid in {key["kid"] for key in kept}
    assert {kid_of(token) for token in traffic.tokens} != {next_kid}
    assert keys(served, "rotate", "--now") == {"kid": next_kid, "state": "active"}
    time.sleep(LOOK_S)
    newest = traffic.tokens[-6:]
    assert {kid_of(token) for token in newest} == {next_kid}
    assert traffic.faults == []
    verify_all(list(traffic.tokens), kept, served.issuer)
    verify_all(list(traffic.tokens), published(served), served.issuer)  # and who asks only now
    assert len({kid_of(token) for token in traffic.tokens}) == 2
    # Somebody else may have the key that signs now.
    began = time.monotonic()
    stolen = next(
        token for token in reversed(traffic.tokens) if decode(token)[0]["typ"] == "at+jwt"
    )
    assert userinfo(served, stolen) == 200
    assert keys(served, "retire", next_kid, "--compromised")["state"] == "withdrawn"
    while not is_refused_everywhere(served, stolen):
        assert time.monotonic() - began < KILLED_S
        time.sleep(0.2)
    assert next_kid not in {key["kid"] for key in published(served)}
    again = Traffic(served, traffic.desk, "")
    again.sign_in()
    assert again.faults == []
    assert next_kid not in {kid_of(token) for token in again.tokens}
    print(f"{len(traffic.tokens)} tokens over a rotation, none invalid")  # noqa: T201
