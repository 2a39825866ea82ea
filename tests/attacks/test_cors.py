"""Who may read answers from another origin: registered browser applications alone (R-011, A-043)."""

from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.keyholders import Keyholders, keyholders
from tests.fakes.dpop import DpopKey
from tests.unit.oidc.scene import Asked

pytestmark = pytest.mark.services
OWN = "https://app.example"
PATHS = ("/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/oauth/par")
NEVER = (
    "/oauth/authorize",
    "/oauth/introspect",
    "/oauth/logout",
    "/account",
    "/api/v1/people",
    "/",
)
STRANGERS = (
    "https://evil.example",
    "https://app.example.evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://sub.app.example",
    "https://APP.example",
    "https://secret.example",
    "null",
    "*",
    "",
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, sql_url: str) -> Iterator[Keyholders]:
    with keyholders(tmp_path_factory.mktemp("cors"), sql_url) as found:
        register = found.gongmu.world.register
        register("confidential", origins=("https://secret.example",))
        register(
            "gone",
            profile="public",
            token_endpoint_auth_methods=("none",),
            origins=("https://gone.example",),
        )
        found.gongmu.world.parts.relying_parties.set_disabled("gone", True, "test")
        yield found


@pytest.fixture
def page(scene: Keyholders) -> Iterator[httpx.Client]:
    with scene.gongmu.client() as client:
        yield client


def preflight(page: httpx.Client, path: str, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,dpop",
    }
    return page.options(path, headers=asked)


def opened(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "access-control" in name}


@pytest.mark.parametrize("path", PATHS)
def test_a_registered_application_may_ask(page: httpx.Client, path: str) -> None:
    answer = preflight(page, path, OWN)
    assert answer.status_code == 200
    assert opened(answer) == {
        "access-control-allow-origin": OWN,
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "Authorization, Content-Type, DPoP",
        "access-control-max-age": "600",
        "access-control-expose-headers": "DPoP-Nonce, WWW-Authenticate",
    }
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", [*STRANGERS, "https://gone.example"])
def test_a043_nobody_else(page: httpx.Client, origin: str) -> None:
    for path in PATHS:
        assert opened(preflight(page, path, origin)) == {}
        answer = page.post(path, headers={"Origin": origin}, data={"x": "1"})
        assert opened(answer) == {}


@pytest.mark.parametrize("path", NEVER)
def test_a043_never_where_people_go(page: httpx.Client, path: str) -> None:
    assert opened(preflight(page, path, OWN)) == {}
    assert opened(page.get(path, headers={"Origin": OWN})) == {}


def test_a_browser_application_reads_tokens_errors_and_nonces(
    scene: Keyholders, page: httpx.Client
) -> None:
    key, asked = DpopKey(), Asked(scene.gongmu.party("app"))
    with scene.gongmu.signed_in() as browser:
        form = {**asked.form(scene.code(browser, asked)), "client_id": "app"}
    page.headers["Origin"] = OWN
    proof = key.proof("POST", f"{scene.gongmu.issuer}/oauth/token")
    answer = page.post("/oauth/token", data=form, headers={"DPoP": proof})
    assert (answer.json()["error"], opened(answer)["access-control-allow-origin"]) == (
        "use_dpop_nonce",
        OWN,
    )
    answer = key.call(page, "POST", "/oauth/token", data=form)
    assert opened(answer)["access-control-allow-origin"] == OWN
    told = key.call(page, "GET", "/oauth/userinfo", answer.json()["access_token"])
    assert told.status_code == 200
    assert opened(told)["access-control-allow-origin"] == OWN
    assert "access-control-allow-credentials" not in told.headers
    refused = page.get("/oauth/userinfo")
    assert refused.status_code == 401
    assert opened(refused)["access-control-allow-origin"] == OWN


def test_public_documents_are_for_any_page(page: httpx.Client) -> None:
    for path in ("/.well-known/openid-configuration", "/oauth/jwks"):
        answer = page.get(path, headers={"Origin": "https://any.example"})
        assert opened(answer)["access-control-allow-origin"] == "*"
