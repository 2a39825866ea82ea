"""Each check of an authorization request, by one spoilt parameter of a good request."""

from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from idp.errors import RequestError
from idp.events import Reason
from idp.login import AuthorizationRequest
from idp.oidc import checks, parameters
from idp.oidc.way_back import WayBack
from idp.relying_parties import RelyingParty
from tests.unit.oidc.scene import ACR_1, ACR_2, Asked, Registered, World, sent_back

LONG = "x" * 300


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"request": "a.b.c"}, "invalid_request_object"),
        ({"request": "a.b.c", "request_uri": "urn:x"}, "invalid_request"),
        ({"request_uri": "https://canary.example/"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "code code"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid nonsense"}, "invalid_scope"),
        ({"scope": "openid  profile"}, "invalid_scope"),
        ({"scope": "openid gongmu:people"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "a" * 42}, "invalid_request"),
        ({"code_challenge": "a" * 44}, "invalid_request"),
        ({"code_challenge": "a" * 42 + "."}, "invalid_request"),
        ({"code_challenge": "a" * 42 + "é"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "nonsense"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e99"}, "invalid_request"),
        ({"max_age": "1;2"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "1" * 10}, "invalid_request"),
        ({"login_hint": LONG}, "invalid_request"),
        ({"claims": '{"a":' * 200}, "invalid_request"),
        ({"resource": "https://api.example/"}, "invalid_target"),
        ({"dpop_jkt": "x" * 42}, "invalid_request"),
    ],
)
def test_refused_by_redirect(
    browser: FlaskClient, asked: Asked, changed: dict[str, str | None], code: str
) -> None:
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"].startswith("https://mail.example/cb?")
    told = sent_back(answer.headers["Location"])
    assert told["error"] == code
    assert told["error_description"].isascii()
    assert (told["state"], told["iss"]) == (asked.state, "http://localhost")


def test_each_refusal_is_one_event(world: World, browser: FlaskClient, asked: Asked) -> None:
    browser.get("/oauth/authorize", query_string=asked.parameters(scope="x"))
    [event] = world.events(kind="authorization:request:refused")
    assert (event["reason"], event["relying_party"]) == ("scope", "mail")


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "상태 &=+/?#%20 \u202e"},
        {"state": "s" * 2048},
        {"nonce": "n" * 512},
        {"state": None},
        {"max_age": "3600"},
        {"login_hint": "*)(uid=*))<script>"},
        {"ui_locales": "xx ko-KR en " + "q " * 500},
        {"acr_values": "https://elsewhere.example/loa"},
        {"claims": '{"a": [[[[[1]]]]], "userinfo": {"nonsense": null, "__proto__": {}}}'},
        {"display": "page"},
    ],
)
def test_accepted(
    world: World, browser: FlaskClient, asked: Asked, changed: dict[str, str | None]
) -> None:
    world.sign_in(browser)
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    told = sent_back(answer.headers["Location"])
    assert told["code"]
    assert told.get("state") == changed.get("state", asked.state)


def test_a_party_without_pkce_needs_a_nonce(world: World, browser: FlaskClient) -> None:
    old = world.register("old", pkce_required=False)
    world.sign_in(browser)
    without = {"code_challenge": None, "code_challenge_method": None}
    answer = browser.get("/oauth/authorize", query_string=Asked(old).parameters(**without))
    assert sent_back(answer.headers["Location"])["code"]
    answer = browser.get(
        "/oauth/authorize", query_string=Asked(old).parameters(**without, nonce=None)
    )
    assert sent_back(answer.headers["Location"])["error"] == "invalid_request"
    # What it does send is checked all the same.
    answer = browser.get(
        "/oauth/authorize", query_string=Asked(old).parameters(code_challenge_method="plain")
    )
    assert sent_back(answer.headers["Location"])["error"] == "invalid_request"


@pytest.mark.parametrize("profile", ["fapi2", "public"])
def test_a_profile_that_needs_pkce_does_so_whatever_else_is_registered(profile: str) -> None:
    """D-2: the exemption is for `oidc` alone."""
    party = RelyingParty("x", "x", "x", profile=cast("Any", profile), pkce_required=False)
    way = WayBack("https://x.example/cb", "query", None, party)
    with pytest.raises(RequestError) as caught:
        checks.check({"response_type": "code", "scope": "openid", "nonce": "n"}, way)
    assert caught.value.reason is Reason.PKCE


@pytest.mark.parametrize(
    ("default", "asked_for", "expected"),
    [(None, None, None), (300, None, 300), (300, "60", 60), (60, "300", 300), (0, None, 0)],
)
def test_default_max_age(default: int | None, asked_for: str | None, expected: int | None) -> None:
    """OIDC Registration §2: what a request says comes first."""
    party = RelyingParty("x", "x", "x", default_max_age=default)
    way = WayBack("https://x.example/cb", "query", None, party)
    given = {"response_type": "code", "scope": "openid", "code_challenge": "a" * 43}
    given["code_challenge_method"] = "S256"
    if asked_for is not None:
        given["max_age"] = asked_for
    assert checks.check(given, way).max_age == expected


def test_a_default_max_age_asks_for_a_new_sign_in(world: World, browser: FlaskClient) -> None:
    fresh = world.register("fresh", default_max_age=300)
    world.sign_in(browser)
    answer = browser.get("/oauth/authorize", query_string=Asked(fresh).parameters())
    assert "code" in sent_back(answer.headers["Location"])
    world.clock.forward(301)
    answer = browser.get("/oauth/authorize", query_string=Asked(fresh).parameters())
    assert answer.headers["Location"].startswith("/login/")


def test_a_mode_that_is_not_the_partys(world: World, browser: FlaskClient) -> None:
    party = world.register("one", response_modes=("fragment",))
    answer = browser.get("/oauth/authorize", query_string=Asked(party).parameters())
    assert answer.headers["Location"].startswith("https://one.example/cb#error=invalid_request")


def test_the_third_login_with_one_challenge_is_refused(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    """A-026; the same challenge of another client is another one."""
    other, asked = world.register("other"), Asked(mail)
    for _ in range(2):
        answer = browser.get("/oauth/authorize", query_string=asked.parameters())
        assert answer.headers["Location"].startswith("/login/")
    answer = browser.get("/oauth/authorize", query_string=asked.parameters())
    assert sent_back(answer.headers["Location"])["error"] == "invalid_request"
    [event] = world.events(reason="pkce_reuse")
    assert event["kind"] == "authorization:request:refused"
    elsewhere = Asked(other, verifier=asked.verifier)
    answer = browser.get("/oauth/authorize", query_string=elsewhere.parameters())
    assert answer.headers["Location"].startswith("/login/")


@pytest.mark.parametrize(
    ("minimum", "wished", "required"),
    [
        (ACR_2, (), ACR_2),
        (ACR_2, (ACR_1,), ACR_2),
        (ACR_2, ("phr",), "phr"),
        (ACR_1, ("phrh", "phr"), "phr"),
        (ACR_1, ("phrh", ACR_1), ACR_1),
    ],
)
def test_required_acr(minimum: str, wished: tuple[str, ...], required: str) -> None:
    party = RelyingParty("mail", "메일", "Mail", minimum_acr=minimum)
    request = AuthorizationRequest(
        "mail", "https://x", "query", ("openid",), None, None, "", acr_values=wished
    )
    assert checks.required_acr(request, party) == required


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"a=1&a=2", b""),
        (b"a=1&a=1", b""),
        (b"a=1&a=1&resource=1&resource=2", b""),
        (b"resource=1&resource=2", b"a=%00"),
        (b"", b"a=1&a=2"),
        (b"a=1", b"a=1"),
        (b"a=&a=", b""),
        (b"%61=1&a=2", b""),
        (b"a=%00", b""),
        (b"a=%0d%0a", b""),
        (b"a%7f=1", b""),
        (b"a=%c2%85", b""),
        (b"a=%ff", b""),
        (b"a=%c0%af", b""),
        (b"a=%ed%a0%80", b""),
        (b"a=\xea\xb0\x80", b""),
        (b"&".join(b"a%d=1" % number for number in range(65)), b""),
        (
            b"&".join(b"a%d=1" % number for number in range(40)),
            b"&".join(b"b%d=1" % number for number in range(40)),
        ),
        (b"a=" + b"x" * 8192, b""),
        (b"", b"a=" + b"x" * 65536),
    ],
)
def test_parameters_refused(query: bytes, body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parameters.read(query, body)
    assert caught.value.code == "invalid_request"
    assert not caught.value.may_redirect


def test_parameters_read() -> None:
    found = parameters.read(b"a=1+2&b=&c=%EA%B0%80&d", b"e=%2B")
    assert found == {"a": "1 2", "c": "가", "e": "+"}
    found = parameters.read(b"resource=u:1&a=1&resource=u:2", b"resource=u:3")
    assert found == {"a": "1", "resource": "u:1 u:2 u:3"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", "{}"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("application/x-www-form-urlencoded; charset=utf-16", "a=1"),
        ("text/plain", "a=1"),
    ],
)
def test_other_bodies_are_refused(browser: FlaskClient, content_type: str, body: str) -> None:
    answer = browser.post("/oauth/authorize", data=body, content_type=content_type)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE", "DELETE"])
def test_other_methods_are_refused(browser: FlaskClient, asked: Asked, method: str) -> None:
    """A-043."""
    answer = browser.open(
        "/oauth/authorize",
        method=method,
        query_string=asked.parameters(),
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 405
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
