"""`/api/v1` as a program meets it: the description is true, refusals are stable, every act is an event."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from idp.admin import asking
from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import Provider
from tests.servers_slapd import Slapd
from tests.unit.oidc.scene import World

pytestmark = pytest.mark.services
NUMBER, OTHER = "A900001", "A900002"  # of this module alone: nobody else ends their mobile IDs
SCOPES = {
    "people": "gongmu:people",
    "events": "gongmu:events",
    "mobile-ids": "gongmu:issue",
    "passkeys": "gongmu:people",
    "relying-parties": "gongmu:rp",
}


@pytest.fixture(scope="module")
def document(served: Provider) -> dict[str, Any]:
    with served.client() as client:
        found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


@pytest.fixture(scope="module", autouse=True)
def people(personnel: Slapd) -> Iterator[None]:
    base = "ou=people,dc=esaram,dc=example"
    for number in (NUMBER, OTHER):
        personnel.modify(
            f"dn: uid={number},{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {number}\n"
            f"cn: 아무개\nsn: 아\nemployeeNumber: {number}\nemployeeType: active\n"
        )
    yield
    for number in (NUMBER, OTHER):
        personnel.modify(f"dn: uid={number},{base}\nchangetype: delete\n")


@pytest.fixture(scope="module")
def held(served: Provider, people: None) -> Held:
    return Held.receive(served, NUMBER)


def ask(served: Provider, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    return served.api(method, path, SCOPES[path.partition("/")[0]], **options)


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    return problem


# --- the description ------------------------------------------------------------------------------


def test_every_route_is_described_and_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        routes = {
            (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).removeprefix("/api/v1"))
            for rule in world.app.url_map.iter_rules()
            if rule.rule.startswith("/api/v1")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        described = world.browser().get("/api/v1/openapi.json").get_json()
    finally:
        world.close()
    told = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert routes == told


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path.removeprefix("/"), operation


def filled(path: str) -> str:
    return re.sub(
        r"{(mobile_id|passkey_id|client_id)}", "nosuch", path.replace("{personnel_number}", NUMBER)
    )


def test_each_operation_needs_the_scope_it_names(served: Provider, document: Any) -> None:
    for method, path, operation in operations(document):
        if not operation["security"]:
            continue
        [needed] = operation["security"][0]["oauth2"]
        other = next(scope for scope in SCOPES.values() if scope != needed)
        problem = refused(served.api(method, filled(path), other), 403, "scope")
        assert needed in problem["detail"]
        with served.client() as client:
            bare = client.request(method, f"/api/v1/{filled(path)}")
        refused(bare, 401, "client_authentication")
        assert bare.headers["www-authenticate"].startswith("Bearer")
        flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
        assert needed in flows["clientCredentials"]["scopes"]


def test_each_operation_takes_the_parameters_it_names_and_no_others(
    served: Provider, document: Any
) -> None:
    for method, path, operation in operations(document):
        if not operation["security"]:
            continue
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                good = {"limit": "1", "kind": "api:read:done", "reason": "none"}
                time = "2026-01-01T00:00:00+00:00"
                value = (
                    time if "format" in parameter["schema"] else good.get(parameter["name"], "x")
                )
                answer = ask(served, path, method, params={parameter["name"]: value})
                assert answer.status_code == 200, (path, parameter, answer.text)
        problem = refused(
            ask(served, filled(path), method, params={"lim1t": "1"}), 400, "bad_request"
        )
        assert "parameters are" in problem["detail"]


def follows(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Has exactly the described members, and each the described type."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    assert names.get(type(value), "null") in kinds, (schema, value)
    assert "enum" not in schema or value in schema["enum"]
    if schema.get("format") == "date-time" and value is not None:
        assert datetime.fromisoformat(value).tzinfo is not None
    for item in value if isinstance(value, list) else ():
        follows(document, schema["items"], item)
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) == set(schema["properties"]) == set(schema["required"])
        for name, inner in schema["properties"].items():
            follows(document, inner, value[name])
    elif isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value)


def test_answers_follow_their_schemas(served: Provider, document: Any, held: Held) -> None:
    with Desk(served) as desk:  # so that there is a session to show
        desk.start()
        desk.answered(desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"]))
        [mobile_id] = [one["id"] for one in live(served)]
        record = ask(served, f"people/{NUMBER}").json()
        assert record["sessions"][0]["mobile_id"] == mobile_id
        assert (record["may_act"], record["reason"]) == (True, "none")
        assert record["entry"]["employeeNumber"] == [NUMBER]
    for method, path, status in (
        ("GET", "people", 200),
        ("GET", f"people/{NUMBER}", 200),
        ("GET", "events", 200),
        ("GET", "mobile-ids", 200),
        ("GET", "passkeys", 200),
        ("POST", "mobile-ids", 201),
    ):
        options = {"json": {"personnel_number": NUMBER}} if method == "POST" else {}
        answer = ask(served, path, method, **options)
        assert answer.status_code == status, answer.text
        described = document["paths"]["/" + path.replace(NUMBER, "{personnel_number}")]
        content = described[method.lower()]["responses"][str(status)]["content"]
        follows(document, content["application/json"]["schema"], answer.json())
    problem = ask(served, "people/nobody").json()
    follows(document, {"$ref": "x/Problem"}, problem)


def live(served: Provider) -> list[dict[str, Any]]:
    found = ask(served, "mobile-ids", params={"personnel_number": NUMBER}).json()["mobile_ids"]
    assert {one["personnel_number"] for one in found} == {NUMBER}
    return [one for one in found if one["state"] == "live"]


# --- people ---------------------------------------------------------------------------------------


def test_a_retired_person_is_shown_with_the_reason(served: Provider) -> None:
    record = ask(served, f"people/{served.person('retired')}").json()
    assert (record["state"], record["may_act"]) == ("retired", False)
    assert record["reason"] == "person_retired"


@pytest.mark.parametrize("number", ["E9999999", "nobody", "' OR 1=1 --", "*", "%2e%2e"])
def test_nobody_is_404(served: Provider, number: str) -> None:
    refused(ask(served, f"people/{number}"), 404, "person_unknown")


def test_a247_looking_at_a_person_names_them_in_the_event(served: Provider, held: Held) -> None:
    subjects = ask(served, f"people/{held.number}").json()["subjects"]
    newest = served.events(limit=20, kind="api:read:done")
    event = next(one for one in newest if one["data"]["what"] == "person")
    assert event["subject"] in subjects.values()
    assert event["actor"] == "automation:automation"


# --- mobile IDs -----------------------------------------------------------------------------------


def test_a_mobile_id_is_suspended_reinstated_and_revoked(served: Provider) -> None:
    held = Held.receive(served, OTHER)
    params = {"personnel_number": held.number}
    found = ask(served, "mobile-ids", params=params).json()["mobile_ids"]
    [mobile_id] = [one["id"] for one in found if one["state"] == "live"]
    for change, state in (
        ("suspend", "suspended"),
        ("suspend", "suspended"),  # again: the same answer, no event
        ("reinstate", "live"),
        ("revoke", "revoked"),
    ):
        answer = ask(served, f"mobile-ids/{mobile_id}/{change}", "POST")
        assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
    for change in ("suspend", "reinstate"):
        refused(ask(served, f"mobile-ids/{mobile_id}/{change}", "POST"), 409, "status_revoked")
    events = served.events(limit=50, kind="mobile_id:state:changed")
    done = [one["data"]["to"] for one in events if one["mobile_id"] == mobile_id]
    assert done == ["revoked", "live", "suspended"]
    assert {one["actor"] for one in events if one["mobile_id"] == mobile_id} == {
        "automation:automation"
    }


def test_an_offer_nobody_took_can_be_revoked_only(served: Provider) -> None:
    offered = served.offer(OTHER)
    for change in ("suspend", "reinstate"):
        answer = ask(served, f"mobile-ids/{offered['id']}/{change}", "POST")
        refused(answer, 409, "status_missing")
    assert ask(served, f"mobile-ids/{offered['id']}/revoke", "POST").json()["state"] == "revoked"


def test_an_unknown_mobile_id_is_404(served: Provider) -> None:
    for name in ("nosuch", "x" * 200, "a'b"):
        refused(ask(served, f"mobile-ids/{name}/suspend", "POST"), 404, "offer_unknown")
    refused(ask(served, "mobile-ids/%00/suspend", "POST"), 400, "bad_request")


def test_an_unknown_passkey_is_404(served: Provider) -> None:
    for name in ("nosuch", "x" * 200, "a'b"):
        refused(ask(served, f"passkeys/{name}/remove", "POST"), 404, "passkey_removed")
    refused(ask(served, "passkeys/%00/remove", "POST"), 400, "bad_request")


# --- hostile input --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["people", "events", "mobile-ids", "passkeys"])
@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "501", "1000000000", "1e9", "9" * 5000, "", " 5", "٥", "1.0", "0x10", "null"],
)
def test_a243_limits(served: Provider, path: str, limit: str) -> None:
    refused(ask(served, path, params={"limit": limit}), 400, "bad_request")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("before", "yesterday"),
        ("before", "2026-01-01T00:00:00"),
        ("before", "0001-01-01T00:00:00+23:59"),
        ("after", "9999-12-31T23:59:59-23:59"),
        ("after", "' OR '1'='1"),
        ("kind", "no:such:kind"),
        ("kind", "session:start:accepted' OR '1'='1"),
        ("reason", "*"),
        ("journey", "a\0b"),
        ("subject", "x" * 129),
        ("session", "a\nb"),
        ("sort", "at;DROP TABLE events"),
        ("body", "1"),
    ],
)
def test_a242_filters(served: Provider, name: str, value: str) -> None:
    refused(ask(served, "events", params={name: value}), 400, "bad_request")


@pytest.mark.parametrize("value", ["' OR '1'='1", "%", "_", "\\", "x'; DROP TABLE events; --"])
@pytest.mark.parametrize("name", ["journey", "subject", "session"])
def test_a242_sql_in_a_filter_is_text(served: Provider, name: str, value: str) -> None:
    assert served.events(**{name: value}) == []


def test_a242_a_wildcard_in_a_search_is_text(served: Provider) -> None:
    for text in ("*", "%", "*)(uid=*", "\\2a", "' OR 1=1"):
        assert ask(served, "people", params={"q": text}).json() == {"people": []}
    for text in ("a\0", "a" * 129):
        refused(ask(served, "people", params={"q": text}), 400, "bad_request")


def test_a243_a_range_that_ends_before_it_begins(served: Provider) -> None:
    now = datetime.now(UTC)
    times = {"after": now.isoformat(), "before": (now - timedelta(hours=1)).isoformat()}
    refused(ask(served, "events", params=times), 400, "bad_request")
    equal = {"after": now.isoformat(), "before": now.isoformat()}
    refused(ask(served, "events", params=equal), 400, "bad_request")


def test_a_range_of_time_in_any_zone(served: Provider) -> None:
    [newest] = served.events(limit=1)
    at = datetime.fromisoformat(newest["at"])
    seoul = at + timedelta(hours=9)
    before = seoul.isoformat().replace("+00:00", "+09:00")
    assert served.events(after=newest["at"])[-1]["id"] == newest["id"]
    assert newest["id"] not in {one["id"] for one in served.events(before=before, limit=5)}
    later = (at + timedelta(hours=1)).isoformat()
    assert served.events(after=later) == []


def test_a_parameter_twice_is_refused(served: Provider) -> None:
    answer = ask(served, "events", params=[("limit", "1"), ("limit", "2")])
    refused(answer, 400, "repeated_parameter")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"personnel_number": 1}',
        b'{"personnel_number": ""}',
        b'{"personnel_number": OTHER, "personnel_number": "E1000001"}',
        b'{"personnel_number": OTHER, "state": "live"}',
        b'{"personnel_number": "A900002\\u0000"}',
        b'{"personnel_number": "\\ud800"}',
        b'{"personnel_number": "' + b"E" * 65 + b'"}',
        b"[" * 3000,
        b'{"personnel_number":' + b'{"a":' * 3000,
        b"\xff\xfe",
    ],
)
def test_a235_bodies(served: Provider, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    with served.client() as client:
        headers["Authorization"] = f"Bearer {served.token('gongmu:issue')}"
        answer = client.post("/api/v1/mobile-ids", content=body, headers=headers)
    refused(answer, 400, "bad_request")


def test_a232_json_must_say_that_it_is_json(served: Provider) -> None:
    headers = {"Authorization": f"Bearer {served.token('gongmu:issue')}"}
    with served.client() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = client.post(
                "/api/v1/mobile-ids",
                content=b'{"personnel_number": OTHER}',
                headers={**headers, "Content-Type": kind},
            )
            refused(answer, 400, "bad_request")
        big = client.post(
            "/api/v1/mobile-ids",
            content=b'{"personnel_number": "' + b"E" * 70_000 + b'"}',
            headers={**headers, "Content-Type": "application/json"},
        )
        refused(big, 413, "too_large")


def test_a231_another_verb_or_spelling_is_no_way_around(served: Provider) -> None:
    token = {"Authorization": f"Bearer {served.token('gongmu:issue')}"}
    with served.client() as client:
        for method, path, statuses in (
            ("DELETE", "/api/v1/mobile-ids", {405}),
            ("PUT", "/api/v1/people", {405}),
            ("GET", "/api/v1/mobile-ids/x/revoke", {405}),
            ("GET", "/api/v1/people/", {404}),
            ("GET", "//api/v1/people", {404, 308}),
            ("GET", "/api/v1/PEOPLE", {404}),
            ("GET", "/api/v1/people;x", {404}),
        ):
            answer = client.request(method, path, headers=token)
            assert answer.status_code in statuses, (method, path, answer.status_code)


def test_a_caller_that_never_rests_is_told_when_to_come_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        robot = world.register(
            "robot",
            redirect_uris=(),
            post_logout_redirect_uris=(),
            grant_types=("client_credentials",),
            scope=("gongmu:people",),
            audience="http://localhost/api/v1",
        )
        browser = world.browser()
        form = {"grant_type": "client_credentials", "scope": "gongmu:people"}
        token = browser.post("/oauth/token", data=form, headers=robot.basic).get_json()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        for _ in range(asking.CALLS_PER_MINUTE - 1):
            world.memory.count("rate:api:robot", 60)
        assert browser.get("/api/v1/people", headers=bearer).status_code == 200
        answer = browser.get("/api/v1/people", headers=bearer)
        assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
        assert answer.headers["Retry-After"] == "60"
        world.clock.forward(61)
        assert browser.get("/api/v1/people", headers=bearer).status_code == 200
    finally:
        world.close()
