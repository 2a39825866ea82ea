"""A running Gongmu as tests see it: what it printed when ready, and the few calls every test makes."""

import json
import os
import ssl
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.servers import Child, free_port

ROOT = Path(__file__).resolve().parent.parent
GONGMU = str(Path(sys.executable).with_name("gongmu"))


@dataclass(frozen=True, slots=True)
class Provider:
    """Where it is, who knows it, and who is in its directory (design section 9, `demo --json`)."""

    issuer: str
    relying_parties: dict[str, dict[str, Any]]
    people: list[dict[str, Any]]
    automation: dict[str, str]
    wallet_url: str
    trust_anchors: dict[str, str]  # "verifier" and "issuer": paths of PEM files
    ca_file: str | None
    ready_ms: int
    child: Child
    conf_file: Path | None = None  # where a test may read it
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def verify(self) -> ssl.SSLContext:
        """How httpx is to trust it."""
        return _trusting(self.ca_file)

    def client(self, **options: Any) -> httpx.Client:
        """A browser or program of its own: it keeps cookies and follows nothing by itself."""
        return httpx.Client(base_url=self.issuer, verify=self.verify, timeout=20, **options)

    def discovery(self) -> dict[str, Any]:
        """The provider's metadata."""
        with self.client() as client:
            found: dict[str, Any] = client.get("/.well-known/openid-configuration").json()
        return found

    def person(self, state: str = "active", *, role: str | None = None, index: int = 0) -> str:
        """The personnel number of one of the people in that state; those without a role first.

        A person has one live mobile ID: who takes one for the same person ends the former.
        """
        found = [
            person
            for person in self.people
            if person["state"] == state and (role is None or role in person["roles"])
        ]
        found.sort(key=lambda person: bool(person["roles"]))
        return str(found[index]["personnel_number"])

    def token(self, scope: str) -> str:
        """An access token of the automation client (client credentials), reused while fresh."""
        value, until = self.tokens.get(scope, ("", 0.0))
        if time.monotonic() < until:
            return value
        basic = f"{self.automation['client_id']}:{self.automation['client_secret']}"
        with self.client() as client:
            answer = client.post(
                "/oauth/token",
                data={"grant_type": "client_credentials", "scope": scope},
                headers={"Authorization": f"Basic {b64encode(basic.encode()).decode()}"},
            )
        assert answer.status_code == 200, answer.text
        value = str(answer.json()["access_token"])
        self.tokens[scope] = (value, time.monotonic() + answer.json()["expires_in"] / 2)
        return value

    def api(self, method: str, path: str, scope: str, **options: Any) -> httpx.Response:
        """A call to the automation API."""
        headers = {"Authorization": f"Bearer {self.token(scope)}"}
        with self.client() as client:
            return client.request(method, f"/api/v1/{path}", headers=headers, **options)

    def events(self, **filters: str | int) -> list[dict[str, Any]]:
        """Security events, newest first."""
        answer = self.api("GET", "events", "gongmu:events", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["events"]
        return found

    def last_event(self) -> str:
        """The id of the newest event: a mark for `events_after`."""
        return str(self.events(limit=1)[0]["id"])

    def events_after(self, mark: str) -> list[dict[str, Any]]:
        """What happened since, the oldest first, without the traces of this test's own reading."""
        for limit in (20, 500):
            found = self.events(limit=limit)
            ids = [event["id"] for event in found]
            if mark in ids:
                return [event for event in found[: ids.index(mark)][::-1] if not self._own(event)]
        raise AssertionError("more than 500 events since the mark")

    def _own(self, event: dict[str, Any]) -> bool:
        return bool(
            event["kind"] == "api:read:done"
            or event.get("relying_party") == self.automation["client_id"]
        )

    def offer(self, personnel_number: str) -> dict[str, str]:
        """A mobile ID offered to that person: id, credential_offer_uri, tx_code, expires_at."""
        answer = self.api(
            "POST", "mobile-ids", "gongmu:issue", json={"personnel_number": personnel_number}
        )
        assert answer.status_code == 201, answer.text
        offered: dict[str, str] = answer.json()
        return offered


@cache
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Made once: reading the system's authorities costs more than most requests."""
    return ssl.create_default_context(cafile=ca_file)


def start_demo(*options: str) -> Provider:
    """`gongmu demo --json` as a child, ready. DidNotStart, with its stderr, otherwise."""
    port = free_port(following=1)
    child = Child("demo", [GONGMU, "demo", "--json", "--port", str(port), *options], env=_quiet())
    try:
        line = child.wait_until(lambda: _first_line(child.stdout))
        return provider_of(json.loads(line), child)
    except BaseException:
        child.stop()
        raise


def provider_of(printed: dict[str, Any], child: Child) -> Provider:
    """The provider that printed that line."""
    return Provider(
        issuer=printed["issuer"],
        relying_parties=printed["relying_parties"],
        people=printed["people"],
        automation=printed["automation"],
        wallet_url=printed["wallet_url"],
        trust_anchors=printed["trust_anchors"],
        ca_file=printed.get("ca_file") or None,
        ready_ms=int(printed["ready_ms"]),
        child=child,
    )


def _first_line(path: Path) -> str | None:
    text = path.read_text()
    return text.partition("\n")[0] if "\n" in text else None


def _quiet() -> dict[str, str]:
    """A child of a measured run is not measured itself."""
    return {name: "" for name in os.environ if name.startswith("COV_CORE_")}


def is_ready(address: str) -> bool | None:
    """Whether a provider there is ready, as `Child.wait_until` asks."""
    try:
        return httpx.get(f"{address}/readyz", timeout=5).is_success or None
    except httpx.TransportError:
        return None
