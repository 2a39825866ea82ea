"""A provider with clients of every profile, and what they do with their keys."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from idp.conf import Server
from idp.relying_parties import RelyingParty
from tests.attacks.pushing import Keyed
from tests.fakes.dpop import DpopKey
from tests.servers import redis_server
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import Asked, sent_back

SCOPE = "openid profile email offline_access"
CERTIFICATE, VERDICT = "XClientCert", "XClientVerify"
PROXY = Server(
    trusted_proxies=("127.0.0.1/32",),
    client_certificate_header=CERTIFICATE,
    client_certificate_verdict_header=VERDICT,
)


@dataclass
class Keyholders:
    """`app` is public, `bank` is fapi2 with DPoP, `program` acts for itself with DPoP, `mail` has a secret."""

    gongmu: Running
    redis_url: str
    keyed: Keyed = field(default_factory=Keyed)

    def __post_init__(self) -> None:
        register = self.gongmu.world.register
        keyed: dict[str, Any] = {
            "token_endpoint_auth_methods": ("private_key_jwt",),
            "jwks": self.keyed.jwks,
            "dpop_bound_access_tokens": True,
        }
        program = {
            "redirect_uris": (),
            "post_logout_redirect_uris": (),
            "grant_types": ("client_credentials",),
            "scope": ("gongmu:events",),
            "audience": f"{self.gongmu.issuer}/api/v1",
        }
        self.gongmu.parties |= {
            "app": register(
                "app",
                profile="public",
                token_endpoint_auth_methods=("none",),
                origins=("https://app.example",),
            ),
            "bank": register("bank", profile="fapi2", **keyed),
            "program": register("program", **program, **keyed),
        }

    def code(self, browser: httpx.Client, asked: Asked, **changed: str | None) -> str:
        """A code with everything that a person can give; pushed where the profile says so."""
        parameters = asked.parameters(**{"scope": SCOPE, **changed})
        if asked.registered.party.profile == "fapi2":
            form = {**parameters, **self.proof_of(asked)}
            with self.gongmu.client() as backend:
                pushed = backend.post("/oauth/par", data=form)
            assert pushed.status_code == 201, pushed.text
            uri = pushed.json()["request_uri"]
            parameters = {"client_id": asked.registered.client_id, "request_uri": uri}
        answer = browser.get("/oauth/authorize", params=parameters)
        return sent_back(answer.headers["location"])["code"]

    def proof_of(self, asked: Asked) -> dict[str, str]:
        """What the client sends to prove itself."""
        client_id = asked.registered.client_id
        if asked.registered.party.token_endpoint_auth_methods == ("private_key_jwt",):
            return self.keyed.assertion(self.gongmu, client_id)
        return {"client_id": client_id}

    def ask(self, key: DpopKey | None, name: str = "app", **form: str) -> httpx.Response:
        """A token request of that client, with a proof by `key` (None: without one)."""
        asked = Asked(self.gongmu.party(name))
        with self.gongmu.client() as backend:
            if key is None:
                form |= self.proof_of(asked)
                return backend.post("/oauth/token", data=form)
            # A proof of the client is spent by the first try, so the nonce is learnt apart.
            nonce = self.nonce()
            proof = key.proof("POST", f"{self.gongmu.issuer}/oauth/token", nonce)
            form |= self.proof_of(asked)
            return backend.post("/oauth/token", data=form, headers={"DPoP": proof})

    def pretend(self, party: RelyingParty) -> None:
        """As if the register held it so, whatever it would let in now; for a minute."""
        register = self.gongmu.world.parts.relying_parties
        known = register._find(party.client_id)
        assert known is not None
        until = time.monotonic() + 60
        register._cache[party.client_id] = (until, replace(known, party=party))

    def nonce(self) -> str:
        """A fresh one of the provider."""
        proof = DpopKey().proof("POST", f"{self.gongmu.issuer}/oauth/token")
        with self.gongmu.client() as backend:
            form = {"client_id": "app", "grant_type": "authorization_code", "code": "x"}
            answer = backend.post("/oauth/token", data=form, headers={"DPoP": proof})
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        return answer.headers["DPoP-Nonce"]

    def tokens(
        self, browser: httpx.Client, key: DpopKey | None, name: str = "app", **changed: str
    ) -> dict[str, Any]:
        """What a client gets for a code."""
        asked = Asked(self.gongmu.party(name))
        form = asked.form(self.code(browser, asked, **changed))
        answer = self.ask(key, name, **form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refresh(
        self, token: str, key: DpopKey | None, name: str = "app", **form: str
    ) -> httpx.Response:
        return self.ask(key, name, grant_type="refresh_token", refresh_token=token, **form)

    def userinfo(self, token: str, key: DpopKey) -> httpx.Response:
        with self.gongmu.client() as backend:
            return key.call(backend, "GET", "/oauth/userinfo", token)


@contextmanager
def keyholders(folder: Path, sql_url: str) -> Iterator[Keyholders]:
    """With a Redis of its own, which a test may flush."""
    with redis_server() as url, running(folder, url, sql_url, PROXY) as gongmu:
        yield Keyholders(gongmu, url)


def is_refused(answer: httpx.Response, code: str, status: int = 400) -> None:
    """E1: a named error as JSON that nobody may store, and no token."""
    assert (answer.status_code, answer.json().get("error")) == (status, code), answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert 'token":' not in answer.text


def refused_as(gongmu: Running, mark: int) -> tuple[str, str]:
    """E4: the one event since the mark, as (kind, reason)."""
    [event] = gongmu.events_after(mark)
    return event["kind"], event["reason"]


def fresh_id(name: str) -> str:
    """A client id of one's own."""
    return f"{name}-{secrets.token_hex(4)}"
