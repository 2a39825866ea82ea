"""Attacks on signed request objects, over HTTP (A-018 to A-022), by the browser and pushed."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from tests.attacks.pushing import Keyed, members, open_pushed, push, told
from tests.fakes.jws import DROP, sign
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
API = "https://api.example/"
Made = Callable[[Running, Asked, Keyed], str]


@pytest.fixture(scope="module")
def key() -> Keyed:
    return Keyed()


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def board(gongmu: Running, key: Keyed, rsa_key: rsa.RSAPrivateKey) -> Registered:
    """A party with an EC and an RSA key."""
    public = {**RSAKey.import_key(rsa_key.public_key()).as_dict(private=False), "kid": "r1"}
    jwks = {"keys": [*key.jwks["keys"], public]}
    return gongmu.world.register("board", jwks=jwks, resources=(API, f"{API}two"))


@pytest.fixture
def asked(board: Registered) -> Asked:
    return Asked(board)


@pytest.fixture
def browser(gongmu: Running) -> Iterator[httpx.Client]:
    with gongmu.signed_in() as client:
        yield client


def by_value(browser: httpx.Client, asked: Asked, token: str, **query: str) -> httpx.Response:
    """As a client of OIDC Core §6.1 sends it: what OAuth requires stands beside it as well."""
    beside = {name: asked.parameters()[name] for name in ("response_type", "scope", "redirect_uri")}
    query = {"client_id": asked.registered.client_id, **beside, "request": token, **query}
    return browser.get("/oauth/authorize", params=query)


def push_object(gongmu: Running, asked: Asked, token: str, **form: str) -> httpx.Response:
    return push(gongmu, {"request": token, **form}, asked.registered.basic)


def test_by_value(gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed) -> None:
    back = told(by_value(browser, asked, key.object(gongmu, asked)))
    assert (back["state"], back["iss"]) == (asked.state, gongmu.issuer)
    assert gongmu.redeem(asked, back["code"]).status_code == 200


def test_by_value_with_nothing_beside(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    """RFC 9101 §5: client_id and request are enough."""
    query = {"client_id": "board", "request": key.object(gongmu, asked, iss=DROP, nbf=DROP)}
    assert told(browser.get("/oauth/authorize", params=query))["code"]


def test_by_post_it_is_spent_by_the_request_that_brings_the_cookies(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    form = {"client_id": "board", "request": key.object(gongmu, asked)}
    with gongmu.client() as elsewhere:  # another site's POST: no cookies come
        answer = elsewhere.post("/oauth/authorize", data=form)
    assert answer.status_code == 303
    assert told(browser.get(answer.headers["location"]))["code"]


def test_pushed(gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed) -> None:
    answer = push_object(gongmu, asked, key.object(gongmu, asked))
    assert answer.status_code == 201, answer.text
    back = told(open_pushed(browser, "board", answer.json()["request_uri"]))
    assert gongmu.redeem(asked, back["code"]).status_code == 200


def test_what_is_no_text_in_an_object(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    """OIDC Core §6.1, RFC 8707 §2: numbers, objects and lists where the protocol has them."""
    claims = {"userinfo": {"email": {"essential": True}}}
    token = key.object(
        gongmu, asked, aud=[gongmu.issuer], max_age=3600, claims=claims, resource=[API, f"{API}two"]
    )
    taken = gongmu.take(told(by_value(browser, asked, token))["code"])
    assert taken is not None
    assert taken.code.resource == (API, f"{API}two")
    assert json.loads(taken.code.claims) == claims


def _now(offset: float) -> int:
    return int(time.time() + offset)


def _deep(gongmu: Running, asked: Asked, key: Keyed) -> str:
    brackets = b'{"a":' * 400 + b"1" + b"}" * 400
    claims = json.dumps(members(gongmu, asked)).encode()[:-1] + b',"claims":' + brackets + b"}"
    return sign(key.header(), claims, key.key)


SPOILT: dict[str, Made] = {
    "no JWT": lambda _g, _a, _k: "x",
    "empty parts": lambda _g, _a, _k: "..",
    "alg none": lambda g, a, _k: sign({"alg": "none", "typ": "oauth-authz-req+jwt"}, members(g, a), None),
    "alg none, kid": lambda g, a, k: sign(k.header(alg="none"), members(g, a), None),
    "no signature": lambda g, a, k: k.object(g, a).rpartition(".")[0] + ".",
    "another signature": lambda g, a, k: k.object(g, a)[:-4] + "AAAA",
    "RS256": lambda g, a, k: k.object(g, a, {"alg": "RS256"}),
    "ES384": lambda g, a, k: k.object(g, a, {"alg": "ES384"}),
    "another's key": lambda g, a, k: Keyed(k.kid).object(g, a),
    "unknown kid": lambda g, a, k: Keyed("k2", k.key).object(g, a),
    "no kid, two types of key": lambda g, a, _k: Keyed().object(g, a, {"kid": DROP}),
    "a key of its own": lambda g, a, _k: _own_key(g, a),
    "typ JWT": lambda g, a, k: k.object(g, a, {"typ": "JWT"}),
    "no typ": lambda g, a, k: k.object(g, a, {"typ": DROP}),
    "typ of an assertion": lambda g, a, k: k.object(g, a, {"typ": "client-authentication+jwt"}),
    "crit": lambda g, a, k: k.object(g, a, {"crit": ["exp"]}),
    "b64": lambda g, a, k: k.object(g, a, {"b64": False}),
    "zip": lambda g, a, k: k.object(g, a, {"zip": "DEF"}),
    "no aud": lambda g, a, k: k.object(g, a, aud=DROP),
    "aud of another": lambda g, a, k: k.object(g, a, aud="https://elsewhere.example"),
    "aud is the endpoint": lambda g, a, k: k.object(g, a, aud=f"{g.issuer}/oauth/authorize"),
    "aud with a slash": lambda g, a, k: k.object(g, a, aud=f"{g.issuer}/"),
    "two aud": lambda g, a, k: k.object(g, a, aud=[g.issuer, "https://elsewhere.example"]),
    "aud is an object": lambda g, a, k: k.object(g, a, aud={g.issuer: 1}),
    "iss of another": lambda g, a, k: k.object(g, a, iss="mail"),
    "iss is null": lambda g, a, k: k.object(g, a, iss=None),
    "no exp": lambda g, a, k: k.object(g, a, exp=DROP),
    "exp past": lambda g, a, k: k.object(g, a, exp=_now(-1)),
    "exp 62 s ahead": lambda g, a, k: k.object(g, a, exp=_now(62)),
    "exp 62 s ahead, alone": lambda g, a, k: k.object(g, a, exp=_now(62), iat=DROP, nbf=DROP),
    "exp an hour ahead": lambda g, a, k: k.object(g, a, exp=_now(3600)),
    "exp is a text": lambda g, a, k: k.object(g, a, exp=str(_now(30))),
    "exp is a float": lambda g, a, k: k.object(g, a, exp=time.time() + 30),
    "exp is true": lambda g, a, k: k.object(g, a, exp=True),
    "nbf 61 s ahead": lambda g, a, k: k.object(g, a, nbf=_now(62), exp=_now(90)),
    "iat 61 s ahead": lambda g, a, k: k.object(g, a, iat=_now(62), exp=_now(90)),
    "nbf long past": lambda g, a, k: k.object(g, a, nbf=_now(-3700)),
    "nbf is a text": lambda g, a, k: k.object(g, a, nbf="now"),
    "no jti": lambda g, a, k: k.object(g, a, jti=DROP),
    "empty jti": lambda g, a, k: k.object(g, a, jti=""),
    "long jti": lambda g, a, k: k.object(g, a, jti="j" * 257),
    "jti is a number": lambda g, a, k: k.object(g, a, jti=7),
    "state is a number": lambda g, a, k: k.object(g, a, state=7),
    "scope is a list": lambda g, a, k: k.object(g, a, scope=["openid"]),
    "redirect_uri is a list": lambda g, a, k: k.object(g, a, redirect_uri=[a.registered.redirect_uri]),
    "claims is a list": lambda g, a, k: k.object(g, a, claims=[]),
    "max_age is true": lambda g, a, k: k.object(g, a, max_age=True),
    "resource of numbers": lambda g, a, k: k.object(g, a, resource=[1]),
    "a control character": lambda g, a, k: k.object(g, a, state="a\nb"),
    "NUL": lambda g, a, k: k.object(g, a, nonce="a\0b"),
    "a lone surrogate": lambda g, a, k: sign(
        k.header(), json.dumps(members(g, a, state="\ud800")).encode(), k.key
    ),
    "a member twice": lambda g, a, k: sign(
        k.header(), json.dumps(members(g, a)).encode()[:-1] + b',"scope":"openid"}', k.key
    ),
    "a list": lambda _g, _a, k: sign(k.header(), [], k.key),
    "deep": _deep,
    "many members": lambda g, a, k: k.object(g, a, **{f"m{n}": "x" for n in range(64)}),
    "another spelling": lambda g, a, k: k.object(g, a).replace(".", "=.", 1),
}  # fmt: skip


def _own_key(gongmu: Running, asked: Asked) -> str:
    own = Keyed()
    return own.object(gongmu, asked, {"jwk": own.jwks["keys"][0], "kid": DROP})


@pytest.mark.parametrize("how", SPOILT)
def test_a018_spoilt_objects(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed, how: str
) -> None:
    mark = gongmu.mark()
    back = told(by_value(browser, asked, SPOILT[how](gongmu, asked, key)))
    assert back["error"] == "invalid_request_object"
    assert back["iss"] == gongmu.issuer
    assert "state" not in back  # none was readable
    answer = push_object(gongmu, asked, SPOILT[how](gongmu, asked, key))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request_object")
    seen = [(event["kind"], event["reason"]) for event in gongmu.events_after(mark)]
    assert seen == [("authorization:request:refused", "request_object")] * 2


def test_a018_signed_with_our_idea_of_a_secret(
    gongmu: Running, browser: httpx.Client, asked: Asked, rsa_key: rsa.RSAPrivateKey
) -> None:
    """HS256 with the party's public RSA key, in any form an attacker can guess."""
    public = rsa_key.public_key()
    for octets in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        asked.registered.secret.encode(),
    ):
        header = {"alg": "HS256", "kid": "r1", "typ": "oauth-authz-req+jwt"}
        token = sign(header, members(gongmu, asked), octets)
        assert told(by_value(browser, asked, token))["error"] == "invalid_request_object"


def test_a018_the_same_object_again(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    token = key.object(gongmu, asked)
    assert told(by_value(browser, asked, token))["code"]
    assert told(by_value(browser, asked, token))["error"] == "invalid_request_object"
    answer = push_object(gongmu, asked, token)
    assert answer.json()["error"] == "invalid_request_object"
    # The id counts, not the text; and it is one party's own.
    jti = secrets.token_urlsafe(8)
    for expected in (201, 400):
        again = key.object(gongmu, Asked(asked.registered), jti=jti)
        assert push_object(gongmu, asked, again).status_code == expected
    other = gongmu.world.register(f"other-{jti[:4].lower().strip('-_')}x", jwks=key.jwks)
    theirs = key.object(gongmu, Asked(other), jti=jti)
    assert push_object(gongmu, Asked(other), theirs).status_code == 201


def test_an_object_that_is_refused_is_not_spent(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    jti = secrets.token_urlsafe(8)
    for spoilt in ({"aud": "https://x"}, {"client_id": "mail"}, {"state": 1}):
        by_value(browser, asked, key.object(gongmu, asked, jti=jti, **spoilt))
    assert told(by_value(browser, asked, key.object(gongmu, asked, jti=jti)))["code"]


def test_a_clock_a_little_ahead(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    """R-020: a party whose clock is a few seconds ahead, and which gives its object a minute."""
    token = key.object(gongmu, asked, iat=_now(8), nbf=_now(8), exp=_now(68))
    assert told(by_value(browser, asked, token))["code"]


def test_a019_the_object_wins(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    query = {
        "scope": "openid email groups",
        "redirect_uri": "https://evil.example/cb",
        "nonce": "evil",
        "state": "evil",
        "response_mode": "fragment",
        "prompt": "none login",
        "code_challenge": "x" * 43,
        "max_age": "junk",
        "response_type": "token",
    }
    for send in (
        lambda token: by_value(browser, asked, token, **query),
        lambda token: open_pushed(
            browser,
            "board",
            push_object(gongmu, asked, token, **query).json()["request_uri"],
            **query,
        ),
    ):
        answer = send(key.object(gongmu, Asked(asked.registered, asked.verifier, asked.state)))
        assert answer.headers["location"].startswith("https://board.example/cb?")
        back = told(answer)
        assert back["state"] == asked.state
        taken = gongmu.take(back["code"])
        assert taken is not None
        assert taken.code.scope == ("openid", "profile")
        assert taken.code.nonce not in (None, "evil")
        assert taken.code.code_challenge == asked.challenge


def test_a019_what_is_only_outside_is_not_there(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    token = key.object(gongmu, asked, state=DROP, nonce=DROP)
    back = told(by_value(browser, asked, token, state="outside", nonce="outside"))
    assert "state" not in back
    taken = gongmu.take(back["code"])
    assert taken is not None
    assert taken.code.nonce is None
    token = key.object(gongmu, asked, redirect_uri=DROP)
    answer = by_value(browser, asked, token)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("inside", [DROP, "mail", "BOARD", "", "board "])
def test_a019_another_client_inside(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed, inside: Any
) -> None:
    mark = gongmu.mark()
    answer = by_value(browser, asked, key.object(gongmu, asked, client_id=inside))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    [event] = gongmu.events_after(mark)
    assert event["reason"] == "request_object"
    answer = push_object(gongmu, asked, key.object(gongmu, asked, client_id=inside))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a019_an_object_of_another_party_outside(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    answer = by_value(browser, Asked(gongmu.party()), key.object(gongmu, asked))
    assert told(answer)["error"] == "invalid_request_object"  # mail has no keys
    answer = push(gongmu, {"request": key.object(gongmu, asked)}, gongmu.party().basic)
    assert answer.json()["error"] == "invalid_request_object"


def test_a020_request_and_request_uri(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    for uri in ("urn:ietf:params:oauth:request_uri:x", "https://board.example/object"):
        back = told(by_value(browser, asked, key.object(gongmu, asked), request_uri=uri))
        assert back["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["request", "request_uri"])
def test_a021_nested(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed, name: str
) -> None:
    nested = {name: key.object(gongmu, asked)}
    back = told(by_value(browser, asked, key.object(gongmu, asked, **nested)))
    assert (back["error"], back["state"]) == ("invalid_request", asked.state)
    answer = push_object(gongmu, asked, key.object(gongmu, asked, **nested))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a022_encrypted_objects(
    gongmu: Running, browser: httpx.Client, asked: Asked, key: Keyed
) -> None:
    """Encryption is not offered at all: neither plain JSON inside nor a signed object."""
    shared = OctKey.import_key(secrets.token_bytes(16))
    header = {"alg": "dir", "enc": "A128GCM", "typ": "oauth-authz-req+jwt", "kid": "k1"}
    for inside in (json.dumps(members(gongmu, asked)), key.object(gongmu, asked)):
        token = jwe.encrypt_compact(header, inside, shared)
        assert token.count(".") == 4
        assert told(by_value(browser, asked, token))["error"] == "invalid_request_object"
        answer = push_object(gongmu, asked, token)
        assert answer.json()["error"] == "invalid_request_object"
    document = httpx.get(f"{gongmu.issuer}/.well-known/openid-configuration").json()
    assert not [name for name in document if name.startswith("request_object_encryption")]


def test_what_must_be_signed(gongmu: Running, browser: httpx.Client, key: Keyed) -> None:
    strict = gongmu.world.register("strict", jwks=key.jwks, require_signed_request_object=True)
    asked = Asked(strict)
    back = told(browser.get("/oauth/authorize", params=asked.parameters()))
    assert (back["error"], back["state"]) == ("invalid_request", asked.state)
    answer = push(gongmu, asked.parameters(), strict.basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert told(by_value(browser, asked, key.object(gongmu, asked)))["code"]


def test_fapi_objects_say_from_when(gongmu: Running, key: Keyed) -> None:
    """FAPI 2.0 Message Signing §5.3.1: nbf is there, and at most an hour old."""
    party = gongmu.world.register(
        "signing",
        profile="fapi2",
        token_endpoint_auth_methods=("private_key_jwt",),
        dpop_bound_access_tokens=True,
        require_signed_request_object=True,
        jwks=key.jwks,
    )
    for nbf, status in ((DROP, 400), (_now(-3000), 201), (_now(0), 201)):
        token = key.object(gongmu, Asked(party), nbf=nbf)
        form = {"request": token, **key.assertion(gongmu, "signing")}
        assert push(gongmu, form).status_code == status


def test_an_object_is_no_client_assertion(gongmu: Running, asked: Asked) -> None:
    """Cross-JWT confusion (RFC 9101 §10.8): with every claim of an assertion, it is still none."""
    key = Keyed()
    party = gongmu.world.register(
        "confused", token_endpoint_auth_methods=("private_key_jwt",), jwks=key.jwks
    )
    asked = Asked(party)
    token = key.object(gongmu, asked, sub="confused")
    form = {**key.assertion(gongmu, "confused"), "client_assertion": token}
    assert push(gongmu, {**asked.parameters(), **form}).status_code == 401
    assertion = key.assertion(gongmu, "confused", **asked.parameters())
    form = {**key.assertion(gongmu, "confused"), "request": assertion["client_assertion"]}
    assert push(gongmu, form).json()["error"] == "invalid_request_object"


def test_a_long_object(gongmu: Running, asked: Asked, key: Keyed) -> None:
    token = key.object(gongmu, asked, login_hint="h" * 13_000)
    assert len(token) > 16 * 1024
    answer = push_object(gongmu, asked, token)
    assert answer.json()["error"] == "invalid_request_object"
