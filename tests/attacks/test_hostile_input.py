"""Input that is too much, is told back, or tries to say who we are (A-031, A-035, A-036, A-108 to A-114)."""

import html
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest

from tests.attacks.forge import compact, decode
from tests.desk import Desk
from tests.provider import Provider
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import Asked, sent_back

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]
AUTHORIZE = "/oauth/authorize"
LONG_S = 1.0  # E6
MAX_GROWTH_KB = 3 * 1024  # what was sent is twice that


@pytest.fixture
def asked(gongmu: Running) -> Asked:
    return Asked(gongmu.party())


@contextmanager
def later(gongmu: Running, seconds: float) -> Iterator[None]:
    """The provider's clock goes on."""
    gongmu.world.clock.forward(seconds)
    try:
        yield
    finally:
        gongmu.world.clock.at = None


def is_quick(answer: httpx.Response, what: str) -> None:
    """E6, and never a fault of ours."""
    assert answer.elapsed.total_seconds() < LONG_S, what
    assert answer.status_code < 500, f"{what}: {answer.status_code}"
    assert "Traceback" not in answer.text, what


# --- time -----------------------------------------------------------------------------------------


def test_a031_activity_makes_a_sign_in_no_younger(gongmu: Running, asked: Asked) -> None:
    with gongmu.signed_in() as browser:
        first = gongmu.redeem(asked, gongmu.code(asked, browser)).json()["id_token"]
        began = decode(first)[1]["auth_time"]
        with later(gongmu, 300):
            again = Asked(gongmu.party())
            token = gongmu.redeem(again, gongmu.code(again, browser)).json()["id_token"]
            assert decode(token)[1]["auth_time"] == began
            silent = Asked(gongmu.party()).parameters(prompt="none", max_age="299")
            told = sent_back(browser.get(AUTHORIZE, params=silent).headers["location"])
            assert told["error"] == "login_required"
            gongmu.code(Asked(gongmu.party()), browser, prompt="none", max_age="310")


# --- hints and languages ----------------------------------------------------------------------------


def test_a035_login_hint_is_inert(demo: Provider) -> None:
    """It is shown nowhere and searched for nowhere: the page is that of any sign-in."""
    for hint in (
        "hong",
        "*)(uid=*))(|(uid=*",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "' OR 1=1--",
    ):
        with Desk(demo) as desk:
            desk.get(desk.authorization_url(login_hint=hint))
            assert desk.answer.status_code == 200
            shown = re.sub(r'(value|href|action)="[^"]*"', "", desk.page)
            assert hint not in desk.page
            assert html.escape(hint) not in shown
            assert desk.answer.elapsed.total_seconds() < LONG_S


def test_a036_languages_that_nobody_speaks_are_forgotten(demo: Provider) -> None:
    """Ever new values fill no cache: memory stays where it was."""
    with Desk(demo) as desk, demo.client() as browser:

        def ask(number: int) -> None:
            tags = f"x-{number:05d}-{'q' * 5500} ko-{number:05d}"
            address = desk.authorization_url(prompt="none", ui_locales=tags, state=f"s{number}")
            headers = {"Accept-Language": f"{tags.split(maxsplit=1)[0]},ko;q=0.{number % 10}"}
            assert browser.get(address, headers=headers).status_code == 303

        desk.verifier = "v" * 43
        for number in range(200):
            ask(number)
        before = memory_kb(demo)
        for number in range(200, 700):
            ask(number)
        assert memory_kb(demo) - before < MAX_GROWTH_KB


def memory_kb(provider: Provider) -> int:
    """Of the provider's own process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(re.findall(r"(\w+):\s+(\d+)", status.read_text()))
            session = int(Path(status.parent, "stat").read_text().rpartition(")")[2].split()[3])
        except OSError:  # gone meanwhile
            continue
        if session == provider.child.process.pid:
            total += int(fields.get("VmRSS", 0))
    assert total
    return total


# --- too much -------------------------------------------------------------------------------------

ENDPOINTS = {
    AUTHORIZE: ("client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "prompt"),
    "/oauth/par": ("client_id", "acr_values", "max_age", "ui_locales", "login_hint", "claims"),
    "/oauth/token": ("grant_type", "code", "code_verifier", "refresh_token", "client_assertion"),
    "/oauth/introspect": ("token", "token_type_hint", "client_secret"),
    "/oauth/revoke": ("token", "client_id"),
    "/oauth/logout": ("id_token_hint", "post_logout_redirect_uri", "state", "client_id"),
}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a108_long_and_repetitive_values(gongmu: Running, path: str) -> None:
    with gongmu.client() as client:
        client.cookies.set("gongmu-browser", "b" * 43, domain="localhost.local")
        for name in ENDPOINTS[path]:
            for value in ("a" * 30_000, "a!" * 15_000, " " * 30_000, "a." * 15_000, "%" * 30_000):
                form = {"client_id": "mail", "response_type": "code", name: value}
                is_quick(client.post(path, data=form), f"{path} {name}")


def test_a110_many_names_scopes_and_audiences(gongmu: Running, asked: Asked) -> None:
    with gongmu.client() as client:
        names = urlencode({f"p{number}": "" for number in range(5000)})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        is_quick(client.post("/oauth/token", content=names, headers=form), "names")
        scopes = " ".join(f"s{number}" for number in range(9000))
        answer = client.post(
            "/oauth/token", data={"grant_type": "client_credentials", "scope": scopes}
        )
        is_quick(answer, "scopes")
        assert answer.status_code in (400, 401)
        many = ["https://gongmu.example"] * 5000
        claims = f'{{"iss":"mail","sub":"mail","aud":{many}}}'.replace("'", '"')
        assertion = compact('{"alg":"ES256"}', claims, lambda _: b"x" * 64)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form_of = asked.form(
            "c" * 43, client_assertion=assertion[:60_000], client_assertion_type=kind
        )
        answer = client.post("/oauth/token", data=form_of)
        is_quick(answer, "audiences")
        assert answer.json()["error"] == "invalid_client"
        cookies = "; ".join(f"c{number}=x" for number in range(1500))
        is_quick(client.get("/account", headers={"Cookie": cookies}), "cookies")


# --- framing of requests --------------------------------------------------------------------------


def raw(provider: Provider, octets: bytes, wait_s: float = 0.5) -> bytes:
    """What the server answers to these very octets."""
    parts = urlsplit(provider.issuer)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(octets)
        connection.settimeout(wait_s)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except TimeoutError:
            pass
    return answer


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
FRAMED = {
    "two lengths": b"Content-Length: 4\r\nContent-Length: 40\r\n\r\na=1&",
    "a signed length": b"Content-Length: +4\r\n\r\na=1&",
    "a length in hexadecimal": b"Content-Length: 0x4\r\n\r\na=1&",
    "a negative length": b"Content-Length: -4\r\n\r\na=1&",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
}


@pytest.mark.parametrize("name", FRAMED)
def test_a111_a_request_of_two_readings(demo: Provider, name: str) -> None:
    """Refused; nothing that follows it on the connection is taken for a request of its own."""
    head = b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    answer = raw(demo, head + FRAMED[name] + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") <= 1, answer
    assert not answer.startswith(b"HTTP/1.1 2"), answer


def test_a111_a_length_beside_chunks(demo: Provider) -> None:
    """A proxy that goes by the length would send the rest as part of the body: it must not be answered."""
    body = b"0\r\n\r\n"
    head = (
        b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % (len(body) + len(SMUGGLED))
    )
    answer = raw(demo, head + body + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") <= 1, answer


# --- who we are -----------------------------------------------------------------------------------

NAMED = (
    {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"},
    {"Forwarded": "host=evil.example;proto=http;for=6.6.6.6"},
    {"X-Original-URL": "/account", "X-Rewrite-URL": "/account"},
    {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "True-Client-IP": "6.6.6.6"},
)


@pytest.mark.parametrize("headers", NAMED)
def test_a112_nobody_outside_says_who_we_are(
    gongmu: Running, asked: Asked, headers: dict[str, str]
) -> None:
    with gongmu.client() as browser:
        mark = gongmu.mark()
        begun = browser.get(AUTHORIZE, params=asked.parameters(), headers=headers)
        assert begun.headers["location"].startswith("/login/")
        assert not any("evil" in value for value in begun.headers.values())
        told = browser.get(AUTHORIZE, params=asked.parameters(prompt="none"), headers=headers)
        assert sent_back(told.headers["location"])["iss"] == gongmu.issuer
        for path in ("/.well-known/openid-configuration", "/", "/nowhere"):
            answer = browser.get(path, headers=headers)
            assert "evil.example" not in answer.text
            assert "Set-Cookie" not in answer.headers or "evil" not in answer.headers["Set-Cookie"]
        seen = gongmu.events_after(mark)
        assert {event["address"] for event in seen if event.get("address")} == {"127.0.0.1"}


# --- what is kept, and what is told back -----------------------------------------------------------


def test_a113_nothing_personal_is_ever_stored(gongmu: Running, asked: Asked) -> None:
    """No address makes a page look like a file, and what sets a cookie is never kept."""
    with gongmu.signed_in() as browser:
        token = gongmu.redeem(asked, gongmu.code(asked, browser))
        assert "no-store" in token.headers["cache-control"]
        for path in (
            *("/account", "/account;x.css", "/account/x.css", "/oauth/authorize;x.css"),
            *("/oauth/authorize/x.js", "/oauth/logout", "/oauth/logout;.png", "/login/x.css"),
            *("/oauth/userinfo", "/oauth/userinfo/x.css", "/", "/nowhere"),
        ):
            answer = browser.get(path)
            assert "no-store" in answer.headers["cache-control"], path
            assert "public" not in answer.headers["cache-control"], path
        begun = gongmu.client().get(AUTHORIZE, params=Asked(gongmu.party()).parameters())
        assert "set-cookie" in begun.headers
        assert "no-store" in begun.headers["cache-control"]
        for path in ("/.well-known/openid-configuration", "/oauth/jwks"):  # these are public
            assert "set-cookie" not in browser.get(path).headers


PAYLOAD = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "path",
    [
        f"{AUTHORIZE}?error=x&error_description={quote(PAYLOAD)}&state={quote(PAYLOAD)}",
        f"{AUTHORIZE}?client_id={quote(PAYLOAD)}&redirect_uri={quote(PAYLOAD)}",
        f"{AUTHORIZE}?login={quote(PAYLOAD)}",
        f"/oauth/logout?state={quote(PAYLOAD)}&client_id={quote(PAYLOAD)}",
        f"/login/{quote(PAYLOAD, safe='')}",
        f"/{quote(PAYLOAD, safe='')}",
        f"/?error_description={quote(PAYLOAD)}",
    ],
)
def test_a114_an_error_page_tells_nothing_back(gongmu: Running, path: str) -> None:
    with gongmu.client() as browser:
        answer = browser.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_a114_an_error_for_programs_tells_nothing_back(gongmu: Running, asked: Asked) -> None:
    with gongmu.client() as client:
        form = {**asked.form(PAYLOAD), "grant_type": PAYLOAD}
        for path in ("/oauth/token", "/oauth/introspect", "/oauth/par"):
            answer = client.post(path, data=form, headers=asked.registered.basic)
            assert answer.headers["content-type"] == "application/json"
            assert "alert(1)" not in answer.text
        answer = client.get(f"/api/v1/people?q={quote(PAYLOAD)}")
        assert "alert(1)" not in answer.text
