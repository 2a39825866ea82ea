"""Every way an answer goes back, over HTTP: modes, JARM, `iss` and `state` (A-009, A-010, A-044)."""

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from idp import jws
from tests.attacks.pushing import Keyed, answer_in, open_pushed, push, told
from tests.fakes.jws import claims_of, header_of
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
PATH = "/oauth/authorize"
PLAIN = ("query", "fragment", "form_post")
SIGNED = ("jwt", "query.jwt", "fragment.jwt", "form_post.jwt")
MODES = (*PLAIN, *SIGNED)
HOSTILE = '"><script>alert(1)</script> 상태 &amp;=+%0d%0a\u202e'


@pytest.fixture(scope="module")
def jarm(gongmu: Running) -> Registered:
    return gongmu.world.register(
        "jarm", response_modes=MODES, authorization_signed_response_alg="EdDSA", consent="always"
    )


@pytest.fixture
def asked(jarm: Registered) -> Asked:
    return Asked(jarm, state=HOSTILE)


@pytest.fixture
def browser(gongmu: Running) -> Iterator[httpx.Client]:
    with gongmu.signed_in() as client:
        yield client


def opened(gongmu: Running, mode: str, answer: httpx.Response) -> dict[str, str]:
    """The parameters of the answer, as a party reads them that checks everything (JARM §2.4)."""
    mode = "query" if mode == "jwt" else mode
    fields = answer_in(mode.removesuffix(".jwt"), answer)
    assert "no-store" in answer.headers["cache-control"]
    if mode in PLAIN and "response" not in fields:
        return fields
    assert set(fields) == {"response"}  # nothing beside the token
    token = fields["response"]
    rules = jws.Rules(frozenset({"EdDSA"}), frozenset({"jwt"}))
    claims = jws.verify(token, httpx.get(f"{gongmu.issuer}/oauth/jwks").json(), rules)
    assert claims["aud"] == "jarm"
    assert time.time() < claims["exp"] <= time.time() + 600
    assert not {"sub", "sid", "nonce", "events"} & claims.keys()  # no ID token, no logout token
    return {name: value for name, value in claims.items() if name not in ("aud", "exp")}


def decide(browser: httpx.Client, page: httpx.Response, decision: str) -> httpx.Response:
    action = re.search(r'action="(/oauth/consent/[^"]+)"', page.text)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert action
    assert csrf
    return browser.post(action[1], data={"csrf": csrf[1], "decision": decision})


@pytest.mark.parametrize("mode", MODES)
def test_a044_iss_and_state_with_a_code(
    gongmu: Running, browser: httpx.Client, asked: Asked, mode: str
) -> None:
    page = browser.get(PATH, params=asked.parameters(response_mode=mode))
    back = opened(gongmu, mode, decide(browser, page, "allow"))
    assert set(back) == {"code", "state", "iss"}
    assert (back["iss"], back["state"]) == (gongmu.issuer, asked.state)
    assert gongmu.redeem(asked, back["code"]).status_code == 200


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "openid nonsense"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "consent_required"),
        ({"request": "a.b.c"}, "invalid_request_object"),
    ],
)
def test_a044_iss_and_state_with_an_error(
    gongmu: Running,
    browser: httpx.Client,
    asked: Asked,
    mode: str,
    changed: dict[str, str | None],
    error: str,
) -> None:
    answer = browser.get(PATH, params=asked.parameters(response_mode=mode, **changed))
    back = opened(gongmu, mode, answer)
    assert set(back) == {"error", "error_description", "state", "iss"}
    assert (back["error"], back["iss"], back["state"]) == (error, gongmu.issuer, asked.state)


@pytest.mark.parametrize("mode", MODES)
def test_a044_iss_and_state_when_the_person_says_no(
    gongmu: Running, browser: httpx.Client, asked: Asked, mode: str
) -> None:
    page = browser.get(PATH, params=asked.parameters(response_mode=mode))
    back = opened(gongmu, mode, decide(browser, page, "deny"))
    assert (back["error"], back["iss"], back["state"]) == (
        "access_denied",
        gongmu.issuer,
        asked.state,
    )


@pytest.mark.parametrize("mode", MODES)
def test_a044_without_a_state_there_is_none(
    gongmu: Running, browser: httpx.Client, asked: Asked, mode: str
) -> None:
    answer = browser.get(
        PATH, params=asked.parameters(response_mode=mode, state=None, prompt="none")
    )
    assert set(opened(gongmu, mode, answer)) == {"error", "error_description", "iss"}


@pytest.mark.parametrize("mode", ["query", "fragment.jwt", "form_post.jwt"])
def test_a044_of_a_pushed_request(
    gongmu: Running, browser: httpx.Client, asked: Asked, jarm: Registered, mode: str
) -> None:
    form = asked.parameters(response_mode=mode, prompt="none")
    uri = push(gongmu, form, jarm.basic).json()["request_uri"]
    back = opened(gongmu, mode, open_pushed(browser, "jarm", uri, response_mode="query"))
    assert (back["error"], back["iss"], back["state"]) == (
        "consent_required",
        gongmu.issuer,
        asked.state,
    )


def test_a044_the_document_promises_it(gongmu: Running) -> None:
    document = httpx.get(f"{gongmu.issuer}/.well-known/openid-configuration").json()
    assert document["authorization_response_iss_parameter_supported"] is True
    assert set(document["response_modes_supported"]) == set(MODES)
    assert set(document["authorization_signing_alg_values_supported"]) == {"ES256", "EdDSA"}


def test_the_registered_algorithm_signs(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    """JARM §3; without one, that of the party's ID tokens."""
    other = Asked(gongmu.world.register("plain-jarm", response_modes=("jwt",)))
    for request, algorithm in ((asked, "EdDSA"), (other, "ES256")):
        query = request.parameters(response_mode="jwt", prompt="none", scope="x")
        token = answer_in("query", browser.get(PATH, params=query))["response"]
        assert header_of(token)["alg"] == algorithm
        assert claims_of(token)["error"] == "invalid_scope"


@pytest.mark.parametrize("mode", SIGNED)
def test_a009_signed_modes_that_are_not_granted(
    gongmu: Running, browser: httpx.Client, mode: str
) -> None:
    asked = Asked(gongmu.party("query"))
    back = told(browser.get(PATH, params=asked.parameters(response_mode=mode)))
    assert (back["error"], back["state"]) == ("invalid_request", asked.state)
    answer = push(gongmu, asked.parameters(response_mode=mode), asked.registered.basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a009_a_party_of_signed_answers_gets_no_other(
    gongmu: Running, browser: httpx.Client
) -> None:
    only = Asked(gongmu.world.register("only-jwt", response_modes=("jwt",)))
    for mode in (None, *PLAIN, "fragment.jwt"):
        answer = browser.get(PATH, params=only.parameters(response_mode=mode))
        token = answer_in("query", answer)["response"]
        assert claims_of(token)["error"] == "invalid_request"


@pytest.mark.parametrize("mode", ["web_message", "JWT", "query.JWT", "jwt.jwt", "form_post.jwe"])
def test_a009_unknown_modes(
    gongmu: Running, browser: httpx.Client, asked: Asked, jarm: Registered, mode: str
) -> None:
    answer = browser.get(PATH, params=asked.parameters(response_mode=mode))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    answer = push(gongmu, asked.parameters(response_mode=mode), jarm.basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("mode", ["form_post", "form_post.jwt"])
def test_a010_the_page_that_posts(
    gongmu: Running, browser: httpx.Client, asked: Asked, mode: str
) -> None:
    query = asked.parameters(response_mode=mode, prompt="none")
    answer = browser.get(PATH, params=query)
    assert "<script>alert" not in answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "form-action 'self' https://jarm.example;" in policy
    assert opened(gongmu, mode, answer)["state"] == HOSTILE


def test_an_answer_is_no_id_token(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    """Cross-JWT confusion: a signed answer, whose state anyone may choose, names nobody."""
    query = asked.parameters(response_mode="jwt", prompt="none")
    token = answer_in("query", browser.get(PATH, params=query))["response"]
    query = Asked(asked.registered).parameters(id_token_hint=token, prompt="none")
    assert told(browser.get(PATH, params=query))["error"] == "login_required"


def test_a_redirect_uri_with_a_query(gongmu: Running, browser: httpx.Client) -> None:
    uri = "https://dash.example/cb?tenant=1"
    asked = Asked(gongmu.world.register("dash", redirect_uris=(uri,), response_modes=MODES))
    answer = browser.get(PATH, params=asked.parameters(response_mode="jwt"))
    assert answer.headers["location"].startswith(f"{uri}&response=")
    answer = browser.get(PATH, params=asked.parameters(response_mode="fragment.jwt"))
    assert answer.headers["location"].startswith(f"{uri}#response=")


def test_fapi_with_everything_signed(gongmu: Running, browser: httpx.Client) -> None:
    """FAPI 2.0 Message Signing: a signed request, pushed, and a signed answer."""
    key = Keyed()
    party = gongmu.world.register(
        "signed-both-ways",
        profile="fapi2",
        token_endpoint_auth_methods=("private_key_jwt",),
        dpop_bound_access_tokens=True,
        require_signed_request_object=True,
        response_modes=("jwt",),
        jwks=key.jwks,
    )
    asked = Asked(party)
    token = key.object(gongmu, asked, response_mode="jwt")
    answer = push(gongmu, {"request": token, **key.assertion(gongmu, party.client_id)})
    assert answer.status_code == 201, answer.text
    answer = open_pushed(browser, party.client_id, answer.json()["request_uri"])
    fields = answer_in("query", answer)
    assert set(fields) == {"response"}
    claims = claims_of(fields["response"])
    assert (claims["aud"], claims["iss"], claims["state"]) == (
        party.client_id,
        gongmu.issuer,
        asked.state,
    )
    assert claims["code"]


def test_a_native_program_on_another_port(gongmu: Running, browser: httpx.Client) -> None:
    """RFC 8252 §7.3, R-001: the port of a loopback address may vary, nothing else, for nobody else."""
    registered = "http://127.0.0.1/cb"
    native = gongmu.world.register(
        "native",
        profile="public",
        token_endpoint_auth_methods=("none",),
        redirect_uris=(registered, "http://[::1]/cb?x=1", "https://native.example/cb"),
    )
    for uri in (registered, "http://127.0.0.1:49152/cb", "http://[::1]:1/cb?x=1"):
        answer = browser.get(PATH, params=Asked(native).parameters(redirect_uri=uri))
        assert answer.status_code == 303, uri
        parts = urlsplit(answer.headers["location"])
        assert answer.headers["location"].startswith(uri)
        assert "code=" in parts.query
    confidential = gongmu.world.register("web", redirect_uris=("http://127.0.0.1/cb",))
    for party, uri in (
        (native, "http://127.0.0.1:49152/CB"),
        (native, "http://127.0.0.1:49152/cb?x=1"),
        (native, "http://127.0.0.1:49152/cb#f"),
        (native, "http://127.0.0.1:0/cb"),
        (native, "http://127.0.0.1:/cb"),
        (native, "http://127.0.0.1:80@evil.example/cb"),
        (native, "http://127.0.0.1.evil.example/cb"),
        (native, "http://127.0.0.2/cb"),
        (native, "http://localhost/cb"),
        (native, "https://127.0.0.1/cb"),
        (native, "http://[::1]:1/cb"),
        (native, "https://native.example:8443/cb"),
        (confidential, "http://127.0.0.1:7001/cb"),
    ):
        answer = browser.get(PATH, params=Asked(party).parameters(redirect_uri=uri))
        assert answer.status_code == 400, uri
        assert "location" not in answer.headers


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_native_program_with_a_scheme_of_its_own(
    gongmu: Running, browser: httpx.Client, mode: str
) -> None:
    """RFC 8252 §7.1; the pages whose form ends there say so in their policy."""
    uri = "kr.go.example.board:/cb"
    native = gongmu.world.register(
        f"scheme-{mode}".replace("_", "-"),
        profile="public",
        token_endpoint_auth_methods=("none",),
        redirect_uris=(uri,),
        sector="native.example",
        consent="always",
    )
    page = browser.get(PATH, params=Asked(native).parameters(response_mode=mode))
    assert "form-action 'self' kr.go.example.board:;" in page.headers["content-security-policy"]
    answer = decide(browser, page, "allow")
    assert answer_in(mode, answer)["code"]
    if mode == "form_post":
        assert f'action="{uri}"' in answer.text


def test_a_public_client_always_proves_its_code(gongmu: Running, browser: httpx.Client) -> None:
    native = gongmu.world.register(
        "pkce-less", profile="public", token_endpoint_auth_methods=("none",)
    )
    changed = {"code_challenge": None, "code_challenge_method": None}
    back = told(browser.get(PATH, params=Asked(native).parameters(**changed)))
    assert back["error"] == "invalid_request"
