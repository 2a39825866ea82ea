"""`/api/v1/relying-parties`: a program registers and keeps relying parties, and gains nothing by it."""

import json
import secrets
from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.flows.test_api import follows, refused
from tests.provider import Provider

pytestmark = pytest.mark.services
SCOPE = "gongmu:rp"
URI = "https://board.example.go.kr/callback"


@pytest.fixture(scope="module")
def demo(served: Provider) -> Provider:
    """Two workers on real stores, in place of the demo's embedded ones."""
    return served


@pytest.fixture(scope="module")
def document(demo: Provider) -> dict[str, Any]:
    with demo.client() as client:
        found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def new_id() -> str:
    return f"api-{secrets.token_hex(6)}"


def call(demo: Provider, method: str, path: str = "", **options: Any) -> httpx.Response:
    return demo.api(method, f"relying-parties{path}", SCOPE, **options)


def post(demo: Provider, body: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {demo.token(SCOPE)}", "Content-Type": "application/json"}
    with demo.client() as client:
        return client.post("/api/v1/relying-parties", content=body, headers=headers)


def add(demo: Provider, client_id: str, **settings: Any) -> httpx.Response:
    body = {"client_id": client_id, "settings": {"redirect_uris": [URI], **settings}}
    return call(demo, "POST", json=body)


def token(demo: Provider, client_id: str, secret: str, **form: str) -> httpx.Response:
    basic = b64encode(f"{client_id}:{secret}".encode()).decode()
    with demo.client() as client:
        return client.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", **form},
            headers={"Authorization": f"Basic {basic}"},
        )


def test_the_life_of_a_party(demo: Provider, document: dict[str, Any]) -> None:
    client_id = new_id()
    mark = demo.last_event()
    added = add(demo, client_id, name_ko="게시판")
    assert added.status_code == 201, added.text
    assert added.headers["cache-control"] == "no-store"
    follows(document, {"$ref": "x/AddedParty"}, added.json())
    [event] = demo.events_after(mark)
    assert (event["kind"], event["relying_party"]) == ("relying_party:settings:changed", client_id)
    assert event["actor"] == f"automation:{demo.automation['client_id']}"
    shown = call(demo, "GET", f"/{client_id}")
    follows(document, {"$ref": "x/Party"}, shown.json())
    assert shown.json() == added.json()["relying_party"]
    assert added.json()["client_secret"] not in shown.text
    changed = call(demo, "PATCH", f"/{client_id}", json={"settings": {"consent": "once"}})
    assert changed.json() == {**shown.json(), "consent": "once"}
    second = call(demo, "POST", f"/{client_id}/secrets")
    follows(document, {"$ref": "x/PartySecret"}, second.json())
    refused(call(demo, "POST", f"/{client_id}/secrets"), 409, "bad_request")
    for one in (added, second):  # both secrets are right: what is refused is the grant
        answer = token(demo, client_id, one.json()["client_secret"])
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert call(demo, "POST", f"/{client_id}/disable").json()["disabled"] is True
    found = call(demo, "GET", f"/{client_id}/findings").json()
    follows(document, {"$ref": "x/Findings"}, found)
    assert [one["check"] for one in found["findings"] if not one["ok"]] == ["state"]
    assert call(demo, "POST", f"/{client_id}/enable").json()["disabled"] is False
    listed = call(demo, "GET")
    follows(document, {"$ref": "x/Parties"}, listed.json())
    assert client_id in {one["client_id"] for one in listed.json()["relying_parties"]}
    assert len(call(demo, "GET", params={"limit": "1"}).json()["relying_parties"]) == 1


def test_every_fault_is_told_with_what_is_allowed(demo: Provider) -> None:
    problem = refused(
        add(demo, new_id(), redirect_uris=["http://a.example/"], minimum_acr="9"),
        400,
        "bad_request",
    )
    assert "redirect_uris: found http://a.example/; allowed: https" in problem["detail"]
    assert "minimum_acr: found 9; allowed: one of: urn:gongmu:acr:1" in problem["detail"]
    client_id = new_id()
    assert add(demo, client_id).status_code == 201
    refused(add(demo, client_id), 409, "bad_request")
    refused(call(demo, "GET", f"/{new_id()}"), 404, "client_unknown")
    for body in (
        {},
        {"client_id": "a b", "settings": {}},
        {"client_id": new_id()},
        {"client_id": new_id(), "settings": []},
        {"client_id": new_id(), "settings": {"redirect_uris": URI}},
        {"client_id": new_id(), "settings": {"redirect_uris": [URI], "claims": {"sub": {}}}},
        {"client_id": new_id(), "settings": {"redirect_uris": [URI], "kind": "no-such"}},
        {"client_id": new_id(), "settings": {"redirect_uris": ["https://a.example/\ud800"]}},
    ):
        refused(post(demo, json.dumps(body)), 400, "bad_request")


def test_a105_deep_settings_are_refused(demo: Provider) -> None:
    for depth in (40, 900, 3000):
        deep = '{"a":' * depth + "1" + "}" * depth
        body = (
            f'{{"client_id":"{new_id()}","settings":{{"redirect_uris":["{URI}"],"jwks":{deep}}}}}'
        )
        refused(post(demo, body), 400, "bad_request")


@pytest.mark.parametrize("name", ["trusted", "skip_consent", "role", "id", "owner", "disabled"])
def test_a235_settings_that_are_none_are_refused(demo: Provider, name: str) -> None:
    client_id = new_id()
    mark = demo.last_event()
    problem = refused(add(demo, client_id, **{name: True}), 400, "bad_request")
    assert f"{name}: found unknown" in problem["detail"]
    [event] = demo.events_after(mark)
    assert event["kind"] == "api:request:refused"
    refused(call(demo, "GET", f"/{client_id}"), 404, "client_unknown")


def test_a235_no_scope_is_gained_by_way_of_a_party(demo: Provider) -> None:
    """The token has gongmu:rp alone: a party with more is neither made, changed nor taken over."""
    program = {"grant_types": ["client_credentials"], "audience": f"{demo.issuer}/api/v1"}
    client_id = new_id()
    more = add(demo, client_id, redirect_uris=[], scope=[SCOPE, "gongmu:events"], **program)
    assert "gongmu:events" in refused(more, 403, "scope")["detail"]
    refused(call(demo, "GET", f"/{client_id}"), 404, "client_unknown")
    assert add(demo, client_id, redirect_uris=[], scope=[SCOPE], **program).status_code == 201
    wider = {"settings": {"scope": [SCOPE, "gongmu:issue"]}}
    refused(call(demo, "PATCH", f"/{client_id}", json=wider), 403, "scope")
    other = demo.automation["client_id"]  # it has every scope
    refused(call(demo, "POST", f"/{other}/secrets"), 403, "scope")
    refused(call(demo, "PATCH", f"/{other}", json={"settings": {"scope": [SCOPE]}}), 403, "scope")
    refused(call(demo, "POST", f"/{other}/disable"), 403, "scope")
    assert demo.token("gongmu:events")


def test_a237_a_change_is_held_to_every_rule(demo: Provider) -> None:
    client_id = new_id()
    assert add(
        demo, client_id, claims={"unit": {"rule": "rename", "from": "department"}}
    ).is_success
    for settings in (
        {"claims": {"unit": {"rule": "eval", "from": "department"}}},
        {"claims": {"acr": {"rule": "constant", "value": "phrh"}}},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"profile": "fapi2"},
        {"token_endpoint_auth_methods": ["none"]},
        {"backchannel_logout_uri": "file:///etc/passwd"},
    ):
        answer = call(demo, "PATCH", f"/{client_id}", json={"settings": settings})
        refused(answer, 400, "bad_request")
    assert call(demo, "GET", f"/{client_id}").json()["redirect_uris"] == [URI]
