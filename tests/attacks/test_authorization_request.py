"""Attacks on the authorization request, over HTTP (A-001 to A-010, A-023 to A-028, A-040, A-041)."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests.servers import Canary, canary
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import ACR_1, Asked, sent_back

pytestmark = pytest.mark.services
PATH = "/oauth/authorize"
CB = "https://mail.example/cb"


@pytest.fixture
def browser(gongmu: Running) -> Iterator[httpx.Client]:
    """A signed-in browser: what is refused below would else give a code."""
    with gongmu.signed_in() as client:
        yield client


@pytest.fixture
def asked(gongmu: Running) -> Asked:
    return Asked(gongmu.party())


def is_page(answer: httpx.Response) -> None:
    """E2: a page of ours, and no way on."""
    assert answer.status_code == 400, f"{answer.status_code} {answer.headers.get('location')}"
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "no-store" in answer.headers["cache-control"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "Traceback" not in answer.text


def gives_page(gongmu: Running, browser: httpx.Client, query: str, reason: str) -> str:
    """E2, E3, E4: a page, one event with this reason, nothing else happened. Gives the page."""
    mark = gongmu.mark()
    answer = browser.get(f"{PATH}?{query}")
    is_page(answer)
    seen = gongmu.events_after(mark)
    assert [(event["kind"], event["reason"]) for event in seen] == [
        ("authorization:request:refused", reason)
    ]
    return answer.text


def gives_error(
    gongmu: Running, browser: httpx.Client, asked: Asked, **changed: str | None
) -> dict[str, str]:
    """An error at the registered address, one event, no code and no token."""
    mark = gongmu.mark()
    answer = browser.get(PATH, params=asked.parameters(**changed))
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(CB)
    told = sent_back(answer.headers["location"])
    assert (told["iss"], told["state"]) == (gongmu.issuer, asked.state)
    assert {"code", "access_token", "id_token"}.isdisjoint(told)
    [event] = gongmu.events_after(mark)
    assert event["kind"] == "authorization:request:refused"
    return {**told, "reason": event["reason"]}


@pytest.mark.parametrize(
    "uri",
    [
        f"{CB}/",
        f"{CB}?x=1",
        f"{CB}?",
        f"{CB}#f",
        f"{CB}#",
        "https://mail.example/CB",
        f"{CB}%2f..%2fx",
        f"{CB}/../x",
        f"{CB}/..;/",
        "https://mail.example/%63b",
        "https://mail.example//cb",
        "https://mail.example:443/cb",
        f" {CB}",
        f"{CB} ",
    ],
)
def test_a001_redirect_uri_suffix(
    gongmu: Running, browser: httpx.Client, asked: Asked, uri: str
) -> None:
    query = urlencode(asked.parameters(redirect_uri=uri))
    gives_page(gongmu, browser, query, "redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        "https://mail.example@evil.example/cb",
        "https://mail.example:443@evil.example/cb",
        "https://a@b@mail.example/cb",
        "https://mail.example.evil.example/cb",
        "https://evil.example#mail.example/cb",
        "https://mail.example\\@evil.example/cb",
        "//evil.example/cb",
        "https://ｍail.example/cb",
        "https://xn--mil-8cd.example/cb",
        "https://mail.example./cb",
        "https://[::ffff:c000:201]/cb",
        "https://3221225985/cb",
        "HTTPS://mail.example/cb",
        "https://evil.example/cb",
    ],
)
def test_a002_redirect_uri_host(
    gongmu: Running, browser: httpx.Client, asked: Asked, uri: str
) -> None:
    query = urlencode(asked.parameters(redirect_uri=uri))
    gives_page(gongmu, browser, query, "redirect_uri")


@pytest.mark.parametrize("inside", ["\t", "\r", "\n", "\0", "\x7f", "\x85"])
def test_a002_redirect_uri_with_a_control_character(
    gongmu: Running, browser: httpx.Client, asked: Asked, inside: str
) -> None:
    query = urlencode(asked.parameters(redirect_uri=f"https://mail.{inside}example/cb"))
    gives_page(gongmu, browser, query, "bad_request")


@pytest.mark.parametrize(
    "uri",
    [
        "http://mail.example/cb",
        "javascript:alert(1)//mail.example/cb",
        "data:text/html,<script>alert(1)</script>",
        "kr.go.mail://cb",
        "http://127.0.0.1/cb",
        "http://localhost/cb",
    ],
)
def test_a003_redirect_uri_scheme(
    gongmu: Running, browser: httpx.Client, asked: Asked, uri: str
) -> None:
    page = gives_page(
        gongmu, browser, urlencode(asked.parameters(redirect_uri=uri)), "redirect_uri"
    )
    assert "alert(1)" not in page


def test_a004_redirect_uri_missing(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    for value in (None, ""):
        query = urlencode(asked.parameters(redirect_uri=value))
        gives_page(gongmu, browser, query, "redirect_uri")


@pytest.mark.parametrize("added", ["?code=x", "?state=x", "?iss=x", "#code=x"])
def test_a005_redirect_uri_with_our_parameters(
    gongmu: Running, browser: httpx.Client, asked: Asked, added: str
) -> None:
    query = urlencode(asked.parameters(redirect_uri=f"{CB}{added}"))
    gives_page(gongmu, browser, query, "redirect_uri")


def test_a006_unknown_and_disabled_look_alike(gongmu: Running, browser: httpx.Client) -> None:
    """E5: the page is the same; the event tells the reviewer which it was."""
    closed = Asked(gongmu.party("closed"))
    pages = []
    for client_id, reason in (("nobody", "client_unknown"), ("closed", "client_disabled")):
        elsewhere = "https://x.example/"  # the page's language form repeats the address
        query = urlencode(closed.parameters(client_id=client_id, redirect_uri=elsewhere))
        page = gives_page(gongmu, browser, query, reason)
        pages.append(re.sub(r"<code>[\w-]+</code>", "", page).replace(client_id, ""))
    assert pages[0] == pages[1]
    for client_id in (None, "", "Mail", "mail ", "ｍail", "ma\u202eil", "x" * 5000):
        query = urlencode(closed.parameters(client_id=client_id))
        gives_page(gongmu, browser, query, "client_unknown")


@pytest.mark.parametrize(
    "changed", [{"response_type": "token"}, {"scope": None}, {"scope": "openid nonsense"}]
)
def test_a007_no_other_fault_opens_a_redirect(
    gongmu: Running, browser: httpx.Client, asked: Asked, changed: dict[str, str | None]
) -> None:
    query = urlencode(asked.parameters(redirect_uri="https://evil.example/", **changed))
    gives_page(gongmu, browser, query, "redirect_uri")


@pytest.mark.parametrize(
    "value", ["token", "id_token", "code token", "code id_token", "none", "code code", "CODE"]
)
def test_a008_response_type(
    gongmu: Running, browser: httpx.Client, asked: Asked, value: str
) -> None:
    told = gives_error(gongmu, browser, asked, response_type=value)
    assert told["error"] == "unsupported_response_type"


def test_a009_response_mode(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    only_query = Asked(gongmu.party("query"))
    for mode in ("fragment", "form_post"):
        answer = browser.get(PATH, params=only_query.parameters(response_mode=mode))
        assert answer.headers["location"].startswith("https://query.example/cb?")
        assert sent_back(answer.headers["location"])["error"] == "invalid_request"
    for mode in ("jwt", "query.jwt", "fragment.jwt", "form_post.jwt"):
        answer = browser.get(PATH, params=only_query.parameters(response_mode=mode))
        assert sent_back(answer.headers["location"])["error"] == "invalid_request"
    for mode in ("web_message", "Query", "jwt.jwt", ".jwt"):
        query = urlencode(asked.parameters(response_mode=mode))
        gives_page(gongmu, browser, query, "response_mode")


def test_a010_form_post_encodes_the_state(
    browser: httpx.Client, asked: Asked, gongmu: Running
) -> None:
    state = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"
    answer = browser.get(PATH, params=asked.parameters(response_mode="form_post", state=state))
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert f"form-action 'self' {CB.removesuffix('/cb')};" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)


@pytest.fixture(scope="module")
def listener() -> Iterator[Canary]:
    with canary() as found:
        yield found


def test_a017_a018_nothing_is_fetched_and_junk_is_not_read(
    gongmu: Running, browser: httpx.Client, asked: Asked, listener: Canary
) -> None:
    for uri in (listener.url, "file:///etc/passwd", "gopher://localhost/", "urn:x"):
        told = gives_error(gongmu, browser, Asked(gongmu.party()), request_uri=uri)
        assert told["error"] == "request_uri_not_supported"
    told = gives_error(gongmu, browser, asked, request="e30.e30.")
    assert told["error"] == "invalid_request_object"
    assert listener.calls == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None},  # A-023
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},  # A-024
        {"code_challenge_method": None},
        {"code_challenge": "a" * 42},  # A-025
        {"code_challenge": "a" * 129},
        {"code_challenge": "a" * 42 + "+"},
        {"code_challenge": "a" * 42 + "="},
    ],
)
def test_a023_a024_a025_pkce(
    gongmu: Running, browser: httpx.Client, asked: Asked, changed: dict[str, str | None]
) -> None:
    told = gives_error(gongmu, browser, asked, **changed)
    assert (told["error"], told["reason"]) == ("invalid_request", "pkce")


def test_a026_a_challenge_used_in_three_logins(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    for _ in range(2):
        gongmu.code(asked, browser)
    told = gives_error(gongmu, browser, asked)
    assert (told["error"], told["reason"]) == ("invalid_request", "pkce_reuse")


def test_a026_a_nonce_used_in_three_logins(gongmu: Running, browser: httpx.Client) -> None:
    """Of a party that cannot do PKCE it is all that binds an answer to a browser."""
    asked = Asked(gongmu.world.register("constant", pkce_required=False))
    without = {"code_challenge": None, "code_challenge_method": None}
    for _ in range(2):
        gongmu.code(asked, browser, **without)
    answer = browser.get(PATH, params=asked.parameters(**without))
    assert sent_back(answer.headers["location"])["error"] == "invalid_request"
    assert gongmu.events_after(0)[-1]["reason"] == "pkce_reuse"
    asked.nonce = "another"
    gongmu.code(asked, browser, **without)


def test_a027_prompt_none(gongmu: Running, asked: Asked) -> None:
    with gongmu.client() as stranger:
        told = gives_error(gongmu, stranger, asked, prompt="none")
        assert told["error"] == "login_required"
    with gongmu.signed_in(acr=ACR_1) as weak:
        told = gives_error(gongmu, weak, asked, prompt="none")
        assert told["error"] == "interaction_required"
    with gongmu.signed_in() as weaker_than_asked:
        told = gives_error(
            gongmu, weaker_than_asked, Asked(gongmu.party()), prompt="none", acr_values="phr"
        )
        assert told["error"] == "interaction_required"


def test_a028_prompt_none_stands_alone(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    for value in ("none login", "login none", "none consent", "none none x"):
        told = gives_error(gongmu, browser, asked, prompt=value)
        assert told["error"] == "invalid_request"


def test_a034_hints_of_nobody(gongmu: Running, browser: httpx.Client) -> None:
    for hint in ("e30.e30.", "eyJhbGciOiJub25lIn0.e30.AAAA", "x", "a.b.c"):
        told = gives_error(
            gongmu, browser, Asked(gongmu.party()), prompt="none", id_token_hint=hint
        )
        assert told["error"] == "login_required"


def test_a039_state_is_echoed_or_refused(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    state = "".join(map(chr, range(0x20, 0x7F))) + "상태 \u202e%00"
    answer = browser.get(PATH, params=asked.parameters(state=state))
    assert sent_back(answer.headers["location"])["state"] == state
    gives_page(gongmu, browser, urlencode(asked.parameters(state="s" * 2049)), "too_large")


NAMES = ("client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "request_uri")


@pytest.mark.parametrize("name", [*NAMES, "anything"])
def test_a040_repeated_parameters(
    gongmu: Running, browser: httpx.Client, asked: Asked, name: str
) -> None:
    good = asked.parameters()
    again = {name: good.get(name, "x")}
    both = urlencode({**good, **again})
    gives_page(gongmu, browser, f"{both}&{urlencode(again)}", "repeated_parameter")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    once: Any = f"{both}&{urlencode(again)}"
    is_page(browser.post(PATH, content=once, headers=form))
    is_page(browser.post(f"{PATH}?{urlencode(again)}", content=both, headers=form))
    encoded = quote(name[0], safe="").replace(name[0], f"%{ord(name[0]):02x}") + name[1:]
    gives_page(gongmu, browser, f"{both}&{encoded}=x", "repeated_parameter")


@pytest.mark.parametrize("octets", ["%00", "%c0%af", "%ed%a0%80", "%ff", "%e2%28%a1"])
def test_a041_octets_that_are_no_text(
    browser: httpx.Client, asked: Asked, octets: str, gongmu: Running
) -> None:
    for name in ("client_id", "state", "nonce", "login_hint"):
        rest = urlencode({key: text for key, text in asked.parameters().items() if key != name})
        is_page(browser.get(f"{PATH}?{rest}&{name}=a{octets}b"))


def test_a042_other_bodies(browser: httpx.Client, asked: Asked) -> None:
    for body in ({"json": asked.parameters()}, {"files": {"client_id": b"mail"}}):
        answer = browser.post(PATH, **body)
        assert answer.status_code == 400
        assert "location" not in answer.headers


def test_a043_other_methods(browser: httpx.Client, asked: Asked) -> None:
    for method in ("HEAD", "OPTIONS", "PUT", "TRACE", "DELETE", "PATCH"):
        answer = browser.request(
            method, PATH, params=asked.parameters(), headers={"Origin": "https://evil.example"}
        )
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers


def test_a109_too_many_parameters(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    many = urlencode({**asked.parameters(), **{f"p{number}": "x" for number in range(60)}})
    is_page(browser.get(f"{PATH}?{many}"))
    assert browser.get(f"{PATH}?state={'s' * 9000}").status_code in (400, 413, 414)
