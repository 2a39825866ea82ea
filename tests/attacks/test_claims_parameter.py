"""Attacks by the `claims` parameter, over HTTP (A-032, A-034, A-037), by the browser and pushed."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.attacks.pushing import open_pushed, push, told
from tests.fakes.jws import claims_of
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import ACR_1, ACR_2, KIM, Asked, sent_back

pytestmark = pytest.mark.services
PATH = "/oauth/authorize"


@pytest.fixture
def browser(gongmu: Running) -> Iterator[httpx.Client]:
    with gongmu.signed_in() as client:
        yield client


@pytest.fixture
def asked(gongmu: Running) -> Asked:
    return Asked(gongmu.party())


def acr(*values: str, essential: bool = True) -> str:
    return json.dumps({"id_token": {"acr": {"essential": essential, "values": values}}})


def ask(browser: httpx.Client, asked: Asked, claims: str, **changed: str | None) -> str:
    """Where the browser is sent."""
    answer = browser.get(PATH, params=asked.parameters(claims=claims, **changed))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def id_token_of(gongmu: Running, asked: Asked, location: str) -> Any:
    tokens = gongmu.redeem(asked, sent_back(location)["code"]).json()
    return claims_of(tokens["id_token"])


def test_a032_an_essential_acr_is_met_or_a_step_up_follows(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    assert id_token_of(gongmu, asked, ask(browser, asked, acr(ACR_2)))["acr"] == ACR_2
    assert id_token_of(gongmu, asked, ask(browser, asked, acr(ACR_1, "phr")))["acr"] == ACR_2
    for claims in (acr("phr"), acr("phrh", "phr"), acr("phr", essential=False)):
        assert ask(browser, Asked(asked.registered), claims).startswith("/login/")
        silent = ask(browser, Asked(asked.registered), claims, prompt="none")
        assert sent_back(silent)["error"] == "interaction_required"


def test_a032_the_stronger_of_two_wishes_counts(browser: httpx.Client, asked: Asked) -> None:
    for claims, wished in ((acr(ACR_1), "phr"), (acr("phr"), ACR_1)):
        location = ask(browser, Asked(asked.registered), claims, acr_values=wished)
        assert location.startswith("/login/")


def test_a032_one_value_counts_as_well(browser: httpx.Client, asked: Asked) -> None:
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "phr"}}})
    assert ask(browser, asked, claims).startswith("/login/")


def test_a032_what_nobody_can_reach_is_an_error(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    """OIDC Core §5.5.1.1: an essential acr that cannot be met is a failed authentication."""
    location = ask(browser, asked, acr("https://elsewhere.example/fido"))
    assert sent_back(location)["error"] == "unmet_authentication_requirements"
    form = Asked(asked.registered).parameters(claims=acr("urn:x"))
    answer = push(gongmu, form, asked.registered.basic)
    assert answer.json()["error"] == "unmet_authentication_requirements"
    wish = acr("https://elsewhere.example/fido", essential=False)
    assert "code" in sent_back(ask(browser, Asked(asked.registered), wish))


def test_a032_when_pushed(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    answer = push(gongmu, asked.parameters(claims=acr("phr")), asked.registered.basic)
    location = open_pushed(browser, "mail", answer.json()["request_uri"]).headers["location"]
    assert location.startswith("/login/")


def test_a034_a_sub_that_is_asked_for(gongmu: Running, browser: httpx.Client, asked: Asked) -> None:
    """OIDC Core §5.5.1: the answer is about that person, or there is none."""
    sub = id_token_of(gongmu, asked, ask(browser, asked, "{}"))["sub"]
    right = json.dumps({"id_token": {"sub": {"value": sub}}})
    assert "code" in sent_back(ask(browser, Asked(asked.registered), right))
    with gongmu.signed_in(KIM) as another:
        silent = ask(another, Asked(asked.registered), right, prompt="none")
        assert sent_back(silent)["error"] == "login_required"
    two = json.dumps({"id_token": {"sub": {"value": sub}}, "userinfo": {"sub": {"value": "x"}}})
    assert sent_back(ask(browser, Asked(asked.registered), two))["error"] == "invalid_request"


def test_a034_a_sub_and_a_hint_that_differ(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    tokens = gongmu.redeem(asked, sent_back(ask(browser, asked, "{}"))["code"]).json()
    hint = tokens["id_token"]
    same = json.dumps({"id_token": {"sub": {"value": claims_of(hint)["sub"]}}})
    other = json.dumps({"id_token": {"sub": {"value": "somebody"}}})
    location = ask(browser, Asked(asked.registered), same, id_token_hint=hint)
    assert "code" in sent_back(location)
    location = ask(browser, Asked(asked.registered), other, id_token_hint=hint)
    assert sent_back(location)["error"] == "invalid_request"


HOSTILE = {
    "depth 1000": '{"userinfo":' * 1000 + "1" + "}" * 1000,
    "depth 1000 of lists": '{"userinfo":' + "[" * 1000 + "]" * 1000 + "}",
    "60 KB": json.dumps({"userinfo": {"email": None}, "x": "y" * 60_000}),
    "5 KB": json.dumps({"userinfo": {"email": None}, "x": "y" * 5000}),
    "junk": "{",
    "a list": "[]",
    "a text": '"userinfo"',
    "null": "null",
    "NaN": '{"id_token":{"acr":{"value":NaN}}}',
    "a name twice": '{"userinfo":{"email":null,"email":{}}}',
    "a section is a list": '{"userinfo":["email"]}',
    "a section is a text": '{"id_token":"acr"}',
    "a wish is true": '{"userinfo":{"email":true}}',
    "essential is a text": '{"userinfo":{"email":{"essential":"true"}}}',
    "values is an object": '{"userinfo":{"email":{"values":{}}}}',
    "a value is a list": '{"id_token":{"acr":{"value":["phr"]}}}',
    "a value is a float": '{"id_token":{"acr":{"value":1e999}}}',
    "a long value": json.dumps({"id_token": {"acr": {"value": "v" * 257}}}),
    "many values": json.dumps({"id_token": {"acr": {"values": ["phr"] * 21}}}),
    "many claims": json.dumps({"userinfo": {f"c{number}": None for number in range(51)}}),
    "a lone surrogate": '{"id_token":{"sub":{"value":"\\ud800"}}}',
    "NUL": '{"id_token":{"sub":{"value":"a\\u0000"}}}',
    "a control character": '{"id_token":{"sub":{"value":"a\\nb"}}}',
    "a huge number": '{"id_token":{"sub":{"value":' + "9" * 3000 + "}}}",
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a037_hostile_claims(
    gongmu: Running, browser: httpx.Client, asked: Asked, how: str
) -> None:
    """E6: refused at once by its name, wherever it comes."""
    begun = time.monotonic()
    form = asked.parameters(claims=HOSTILE[how])
    answer = push(gongmu, form, asked.registered.basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = browser.post(PATH, data=form)
    assert told(answer)["error"] == "invalid_request"
    assert time.monotonic() - begun < 1
    assert browser.get("/healthz").status_code == 200


def test_a037_names_that_mean_something_elsewhere(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    """Unknown names are ignored (OIDC Core §5.5), and none of them is kept or told."""
    claims = json.dumps(
        {
            "__proto__": {"admin": True},
            "userinfo": {"__proto__": None, "constructor": None, "": None, "email": None},
            "id_token": {"__class__": {"value": 1}, "acr": {"nonsense": 7}, "iss": {"value": "x"}},
            "access_token": {"scope": {"value": "gongmu:people"}},
        }
    )
    code = sent_back(ask(browser, asked, claims))["code"]
    taken = gongmu.take(code)
    assert taken is not None
    assert json.loads(taken.code.claims) == {
        "id_token": {"acr": {}, "iss": {"value": "x"}},
        "userinfo": {"constructor": {}, "email": {}},
    }


def test_a037_protocol_claims_stay_as_they_are(
    gongmu: Running, browser: httpx.Client, asked: Asked
) -> None:
    wishes = {name: {"value": "forged"} for name in ("iss", "aud", "nonce", "sid", "amr", "exp")}
    claims = json.dumps({"id_token": {**wishes, "acr": {"value": "phrh"}}})
    location = ask(browser, Asked(asked.registered), claims, prompt="none")
    assert sent_back(location)["error"] == "interaction_required"
    token = id_token_of(gongmu, asked, ask(browser, asked, json.dumps({"id_token": wishes})))
    assert token["iss"] == gongmu.issuer
    assert token["aud"] == "mail"
    assert "forged" not in str(token)
