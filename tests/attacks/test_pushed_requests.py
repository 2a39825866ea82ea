"""Attacks on pushed requests, over HTTP (A-011 to A-017, A-026 and A-040 to A-042 with PAR)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from idp.conf import Rates
from tests.attacks.pushing import Keyed, answer_in, open_pushed, push, pushed, told
from tests.fakes.dpop import DpopKey
from tests.servers import canary
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import Asked, Clock, Registered

pytestmark = pytest.mark.services
PREFIX = "urn:ietf:params:oauth:request_uri:"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
THREADS = 20
RACES = 10


@pytest.fixture(scope="module")
def key() -> Keyed:
    return Keyed()


@pytest.fixture(scope="module")
def fapi(gongmu: Running, key: Keyed) -> Registered:
    return gongmu.world.register(
        "fapi",
        profile="fapi2",
        token_endpoint_auth_methods=("private_key_jwt",),
        dpop_bound_access_tokens=True,
        jwks=key.jwks,
    )


@pytest.fixture
def browser(gongmu: Running) -> Iterator[httpx.Client]:
    with gongmu.signed_in() as client:
        yield client


@pytest.fixture
def asked(gongmu: Running) -> Asked:
    return Asked(gongmu.party())


@pytest.fixture
def clock(gongmu: Running) -> Iterator[Clock]:
    """The provider's clock, which runs with the real one again after the test."""
    yield gongmu.world.clock
    gongmu.world.clock.at = None


def is_page(answer: httpx.Response, status: int = 400) -> None:
    """E2."""
    assert answer.status_code == status, f"{answer.status_code} {answer.headers.get('location')}"
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "no-store" in answer.headers["cache-control"]


def gives_page(gongmu: Running, answer: Any, reason: str = "request_uri") -> None:
    """E2 and E4: a page, and one event with this reason."""
    mark = gongmu.mark()
    is_page(answer())
    seen = [(event["kind"], event["reason"]) for event in gongmu.events_after(mark)]
    assert seen == [("authorization:request:refused", reason)]


def is_refused(answer: httpx.Response, code: str, status: int = 400) -> None:
    """E1: a named error as JSON, and nothing kept."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.json()["error"] == code
    assert "request_uri" not in answer.json()


def test_a_pushed_request_gives_a_code_that_can_be_redeemed(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    uri = pushed(gongmu, asked)
    assert uri.startswith(PREFIX)
    back = told(open_pushed(browser, "mail", uri))
    assert (back["iss"], back["state"]) == (gongmu.issuer, asked.state)
    assert gongmu.redeem(asked, back["code"]).status_code == 200


def test_nothing_beside_a_pushed_request_is_read(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    beside = {"state": "evil", "redirect_uri": "https://evil.example/", "scope": "email"}
    beside |= {"response_mode": "fragment", "prompt": "none", "nonce": "evil", "claims": "{"}
    answer = open_pushed(browser, "mail", pushed(gongmu, asked), **beside)
    assert answer.headers["location"].startswith("https://mail.example/cb?")
    assert told(answer)["state"] == asked.state


@pytest.mark.parametrize("setting", ["fapi", "pushing"])
def test_a011_a_request_that_was_not_pushed(
    gongmu: Running, browser: httpx.Client, fapi: Registered, key: Keyed, setting: str
) -> None:
    party = fapi
    if setting == "pushing":
        party = gongmu.world.register("pushing", require_pushed_authorization_requests=True)
    asked = Asked(party)
    mark = gongmu.mark()
    back = told(browser.get("/oauth/authorize", params=asked.parameters()))
    assert (back["error"], back["state"]) == ("invalid_request", asked.state)
    assert back["iss"] == gongmu.issuer
    [event] = gongmu.events_after(mark)
    assert event["reason"] == "request_uri"
    by_value = {**asked.parameters(), "request": key.object(gongmu, asked)}
    assert told(browser.get("/oauth/authorize", params=by_value))["error"] == "invalid_request"
    is_page(browser.get("/oauth/authorize", params={"client_id": party.client_id}))


def test_a011_fapi_by_the_right_way(
    gongmu: Running, browser: httpx.Client, fapi: Registered, key: Keyed
) -> None:
    asked = Asked(fapi)
    answer = push(gongmu, {**asked.parameters(), **key.assertion(gongmu, "fapi")})
    assert answer.status_code == 201, answer.text
    assert told(open_pushed(browser, "fapi", answer.json()["request_uri"]))["code"]


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": None},
        {"response_type": "code id_token"},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"scope": "openid nonsense"},
        {"state": "s" * 2049},
        {"response_mode": "web_message"},
        {"prompt": "none login"},
        {"id_token_hint": "x"},
        {"resource": "https://unregistered.example/"},
        {"dpop_jkt": "short"},
    ],
)
def test_a_push_is_checked_whole(
    gongmu: Running, fapi: Registered, key: Keyed, changed: dict[str, str | None]
) -> None:
    mark = gongmu.mark()
    form = {**Asked(fapi).parameters(**changed), **key.assertion(gongmu, "fapi")}
    answer = push(gongmu, form)
    assert answer.status_code == 400
    assert answer.json()["error"] in (
        *("invalid_request", "invalid_scope", "invalid_target", "unsupported_response_type"),
    )
    [event] = gongmu.events_after(mark)
    assert (event["kind"], event["relying_party"]) == ("authorization:request:refused", "fapi")


def test_a012_without_client_authentication(
    gongmu: Running, asked: Asked, fapi: Registered, key: Keyed
) -> None:
    wrong = Registered(asked.registered.party, "wrong")
    good = asked.parameters()
    mark = gongmu.mark()
    for form, headers in (
        (good, {}),
        (good, wrong.basic),
        ({**good, "client_secret": "wrong"}, {}),
        (good, gongmu.party("other").basic),
        (good, gongmu.party("closed").basic),
        ({**good, **Keyed().assertion(gongmu, "mail")}, {}),
        (Asked(fapi).parameters(), {}),
        ({**Asked(fapi).parameters(), **Keyed().assertion(gongmu, "fapi")}, {}),
        ({**Asked(fapi).parameters(), **key.assertion(gongmu, "fapi", aud="https://x")}, {}),
    ):
        is_refused(push(gongmu, form, headers), "invalid_client", 401)
    assert len(gongmu.events_after(mark)) == 9


def test_a013_the_request_of_another_party(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    uri = pushed(gongmu, asked)
    for client_id, reason in (
        ("other", "request_uri"),
        ("nobody", "client_unknown"),
        ("closed", "client_disabled"),
    ):
        gives_page(gongmu, lambda name=client_id: open_pushed(browser, name, uri), reason)
    is_page(browser.get("/oauth/authorize", params={"request_uri": uri}))
    assert told(open_pushed(browser, "mail", uri))["code"]  # E3: it is as it was


def test_a014_opened_again_before_it_is_used(gongmu: Running, asked: Asked) -> None:
    uri = pushed(gongmu, asked)
    with gongmu.client() as stranger:
        for _ in range(5):  # more often than a challenge may come back: it is one request
            answer = open_pushed(stranger, "mail", uri)
            assert answer.headers["location"].startswith("/login/")
    with gongmu.signed_in() as browser:
        assert told(open_pushed(browser, "mail", uri))["code"]


def test_a014_used_again(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    uri = pushed(gongmu, asked)
    assert told(open_pushed(browser, "mail", uri))["code"]
    with gongmu.client() as stranger, gongmu.signed_in() as another:
        for client in (browser, stranger, another):
            gives_page(gongmu, lambda one=client: open_pushed(one, "mail", uri))


def test_a014_by_many_at_once(gongmu: Running, asked: Asked) -> None:
    """Of any number of browsers at the same instant, one gets a code."""
    browsers = [gongmu.signed_in() for _ in range(THREADS)]
    for client in browsers:  # connected, and nothing else left to do
        client.get("/healthz")
    for _ in range(RACES):
        uri, barrier = pushed(gongmu, Asked(asked.registered)), threading.Barrier(THREADS)

        def use(
            client: httpx.Client, uri: str = uri, barrier: threading.Barrier = barrier
        ) -> httpx.Response:
            barrier.wait()
            return open_pushed(client, "mail", uri)

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(use, browsers))
        codes = [answer for answer in answers if answer.status_code == 303]
        assert len(codes) == 1
        assert told(codes[0])["code"]
        assert {answer.status_code for answer in answers} <= {303, 400, 429}
    for client in browsers:
        client.close()
    print(f"request_uri: {RACES * THREADS} uses, {RACES} codes, 95 % bound {3 / RACES / THREADS}")  # noqa: T201


def test_a015_after_61_seconds(
    gongmu: Running, browser: httpx.Client, asked: Asked, clock: Clock
) -> None:
    uri, later = pushed(gongmu, asked), pushed(gongmu, Asked(asked.registered))
    clock.at = clock() + timedelta(seconds=59)
    assert told(open_pushed(browser, "mail", later))["code"]
    clock.at = clock() + timedelta(seconds=2)
    gives_page(gongmu, lambda: open_pushed(browser, "mail", uri))


def test_a016_guesses_are_counted(tmp_path: Path, redis_url: str, postgres_database: str) -> None:
    """Past the limit they cost no event; who has a real one is not in the way."""
    with running(tmp_path, redis_url, postgres_database, rates=Rates(refusals=20)) as gongmu:
        for whose in ("127.0.0.1", "of mail"):  # of other tests in this Redis
            gongmu.world.parts.short.delete(f"rate:refusals:{whose}")
        uri = pushed(gongmu, Asked(gongmu.party()))
        guesses = [f"{PREFIX}{'A' * 42}{number}" for number in range(4)]
        guesses += [PREFIX, f"{uri}=", uri[:-1], uri.replace(PREFIX, f"{PREFIX}x")]
        mark = gongmu.mark()
        with gongmu.signed_in() as browser:
            for at in range(40):
                answer = open_pushed(browser, "mail", guesses[at % len(guesses)])
                is_page(answer, 400 if at < 20 else 429)
            seen = [event["reason"] for event in gongmu.events_after(mark)]
            assert seen[-21:] == ["request_uri"] * 20 + ["rate_limited"]
            assert told(open_pushed(browser, "mail", uri))["code"]


def test_a017_nothing_is_fetched(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed, fapi: Registered
) -> None:
    with canary() as listener:
        for uri in (
            listener.url,
            "file:///etc/passwd",
            "gopher://localhost/",
            "http://169.254.169.254/latest/",
            "urn:ietf:params:oauth:request_uri",
            "URN:ietf:params:oauth:request_uri:x",
        ):
            query = asked.parameters(request_uri=uri)
            back = told(browser.get("/oauth/authorize", params=query))
            assert back["error"] == "request_uri_not_supported"
            is_refused(push(gongmu, query, asked.registered.basic), "invalid_request")
            form = {**Asked(fapi).parameters(request_uri=uri), **key.assertion(gongmu, "fapi")}
            is_refused(push(gongmu, form), "invalid_request")
        assert listener.calls == 0


def test_a020_a021_a_push_holds_no_reference(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    uri = pushed(gongmu, asked)
    for more in ({"request_uri": uri}, {"request_uri": uri, "request": "a.b.c"}):
        form = {**asked.parameters(), **more}
        is_refused(push(gongmu, form, asked.registered.basic), "invalid_request")
    both = {**asked.parameters(), "request_uri": uri, "request": "a.b.c"}
    assert told(browser.get("/oauth/authorize", params=both))["error"] == "invalid_request"
    assert told(open_pushed(browser, "mail", uri))["code"]


def test_a026_the_same_challenge_in_three_pushes(gongmu: Running, asked: Asked) -> None:
    for _ in range(2):
        pushed(gongmu, asked)
    mark = gongmu.mark()
    is_refused(push(gongmu, asked.parameters(), asked.registered.basic), "invalid_request")
    [event] = gongmu.events_after(mark)
    assert event["reason"] == "pkce_reuse"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "request", "anything"])
def test_a040_repeated_parameters(gongmu: Running, asked: Asked, name: str) -> None:
    again = {name: asked.parameters().get(name, "x")}
    body = f"{urlencode({**asked.parameters(), **again})}&{urlencode(again)}"
    with gongmu.client() as backend:
        headers = {**asked.registered.basic, **FORM}
        is_refused(backend.post("/oauth/par", content=body, headers=headers), "invalid_request")
        inside = {"content": urlencode(asked.parameters()), "headers": headers}
        is_refused(backend.post(f"/oauth/par?{urlencode(again)}", **inside), "invalid_request")


def test_a040_resource_alone_may_stand_twice(gongmu: Running, browser: httpx.Client) -> None:
    apis = ("https://api.example/one", "https://api.example/two")
    asked = Asked(gongmu.world.register("apis", resources=apis))
    query = urlencode([*asked.parameters().items(), *(("resource", api) for api in apis)])
    back = told(browser.get(f"/oauth/authorize?{query}"))
    taken = gongmu.take(back["code"])
    assert taken is not None
    assert taken.code.resource == apis
    elsewhere = urlencode([("resource", apis[0]), ("resource", "https://api.example/three")])
    query = urlencode(Asked(asked.registered).parameters())
    back = told(browser.get(f"/oauth/authorize?{query}&{elsewhere}"))
    assert back["error"] == "invalid_target"


@pytest.mark.parametrize("octets", ["%00", "%c0%af", "%ed%a0%80", "%ff"])
def test_a041_octets_that_are_no_text(gongmu: Running, asked: Asked, octets: str) -> None:
    rest = urlencode({key: text for key, text in asked.parameters().items() if key != "state"})
    with gongmu.client() as backend:
        headers = {**asked.registered.basic, **FORM}
        body = f"{rest}&state=a{octets}b"
        is_refused(backend.post("/oauth/par", content=body, headers=headers), "invalid_request")


def test_a039_state_comes_back_octet_for_octet(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    state = "".join(map(chr, range(0x20, 0x7F))) + "상태 \u202e%00" + "s" * 1900
    assert told(open_pushed(browser, "mail", pushed(gongmu, asked, state=state)))["state"] == state


def test_a038_nonce_is_kept_whole_or_refused(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    nonce = "n" * 512
    code = told(open_pushed(browser, "mail", pushed(gongmu, asked, nonce=nonce)))["code"]
    taken = gongmu.take(code)
    assert taken is not None
    assert taken.code.nonce == nonce
    form = Asked(asked.registered).parameters(nonce="n" * 513)
    is_refused(push(gongmu, form, asked.registered.basic), "invalid_request")


def test_a042_other_bodies(gongmu: Running, asked: Asked) -> None:
    with gongmu.client() as backend:
        for body in ({"json": asked.parameters()}, {"files": {"client_id": b"mail"}}):
            answer = backend.post("/oauth/par", headers=asked.registered.basic, **body)
            assert answer.status_code == 400
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            answer = backend.request(
                method, "/oauth/par", headers={"Origin": "https://evil.example"}
            )
            assert answer.status_code == 405
            assert "access-control-allow-origin" not in answer.headers


def test_a_party_that_may_not_ask_for_codes(gongmu: Running) -> None:
    api = gongmu.world.register(
        "robot", grant_types=("client_credentials",), audience=f"{gongmu.issuer}/api/v1"
    )
    is_refused(push(gongmu, Asked(api).parameters(), api.basic), "unauthorized_client")


def test_a_party_that_was_disabled_meanwhile(gongmu: Running, browser: httpx.Client) -> None:
    asked = Asked(gongmu.world.register("leaving"))
    uri = pushed(gongmu, asked)
    gongmu.world.parts.relying_parties.set_disabled("leaving", True, "test")
    gives_page(gongmu, lambda: open_pushed(browser, "leaving", uri), "client_disabled")


def test_dpop_jkt_is_bound_to_the_code(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    jkt = "j" * 43
    code = told(open_pushed(browser, "mail", pushed(gongmu, asked, dpop_jkt=jkt)))["code"]
    taken = gongmu.take(code)
    assert taken is not None
    assert taken.code.dpop_jkt == jkt


def with_proof(
    gongmu: Running, form: dict[str, str], dpop: DpopKey, party: Registered
) -> httpx.Response:
    with gongmu.client() as backend:
        return dpop.call(backend, "POST", "/oauth/par", data=form, headers=party.basic)


def test_a_dpop_proof_binds_the_code(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    """RFC 9449 §10.1: the proof stands for dpop_jkt, and the two do not contradict."""
    dpop, party = DpopKey(), asked.registered
    answer = with_proof(gongmu, asked.parameters(), dpop, party)
    assert answer.status_code == 201, answer.text
    code = told(open_pushed(browser, "mail", answer.json()["request_uri"]))["code"]
    taken = gongmu.take(code)
    assert taken is not None
    assert taken.code.dpop_jkt == dpop.thumbprint
    same = Asked(party).parameters(dpop_jkt=dpop.thumbprint)
    assert with_proof(gongmu, same, dpop, party).status_code == 201
    for jkt in ("j" * 43, DpopKey().thumbprint):
        form = Asked(party).parameters(dpop_jkt=jkt)
        is_refused(with_proof(gongmu, form, dpop, party), "invalid_dpop_proof")


def test_a_dpop_proof_at_the_push_is_checked(gongmu: Running, asked: Asked) -> None:
    dpop, address = DpopKey(), f"{gongmu.issuer}/oauth/par"
    first = push(
        gongmu,
        asked.parameters(),
        {**asked.registered.basic, "DPoP": dpop.proof("POST", address)},
    )
    is_refused(first, "use_dpop_nonce")
    nonce = first.headers["dpop-nonce"]
    for proof in (
        dpop.proof("POST", f"{gongmu.issuer}/oauth/token", nonce),
        dpop.proof("GET", address, nonce),
        dpop.proof("POST", address, nonce, header={"typ": "JWT"}),
        "x",
    ):
        headers = {**asked.registered.basic, "DPoP": proof}
        is_refused(push(gongmu, asked.parameters(), headers), "invalid_dpop_proof")


def test_a_nonce_that_is_asked_for_spends_no_object(gongmu: Running, key: Keyed) -> None:
    """The retry that RFC 9449 §8 asks for brings the same signed request again."""
    party = gongmu.world.register("retrying", jwks=key.jwks)
    form = {"request": key.object(gongmu, Asked(party))}
    assert with_proof(gongmu, form, DpopKey(), party).status_code == 201


def test_form_post_of_a_pushed_request(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    answer = open_pushed(browser, "mail", pushed(gongmu, asked, response_mode="form_post"))
    assert answer_in("form_post", answer)["state"] == asked.state
