"""The demo's relying parties read a logout token as Back-Channel Logout 1.0 §2.6 asks; each rule by itself."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from idp.demo.client import Client, SignInFailed
from idp.demo.signed_in import SignedIn

ISSUER = "http://localhost:8000"
KEY = ECKey.generate_key("P-256", {"kid": "k"})
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def client() -> Client:
    made = Client(ISSUER, "mail", "secret", f"{ISSUER}/callback", None)
    made._keys = KeySet([KEY])
    return made


def token(key: ECKey = KEY, typ: str | None = "logout+jwt", **changed: Any) -> str:
    """A good one with some claims changed; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "mail",
        "iat": now,
        "exp": now + 120,
        "jti": "j",
        "sub": "person",
        "sid": "session",
        "events": {EVENT: {}},
        **changed,
    }
    header = {"alg": "ES256", "kid": "k", **({"typ": typ} if typ else {})}
    return jwt.encode(header, {k: v for k, v in claims.items() if v is not None}, key)


def test_a_good_one() -> None:
    assert client().ended(token()) == {"sub": "person", "sid": "session"}
    assert client().ended(token(sid=None)) == {"sub": "person"}


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://localhost:8001"},
        {"aud": "intranet"},
        {"iat": None},
        {"exp": None},
        {"exp": int(time.time()) - 3600},
        {"jti": None},
        {"events": None},
        {"events": {}},
        {"events": {EVENT: None}},
        {"events": [EVENT]},
        {"sub": None, "sid": None},
        {"sub": 1, "sid": 2},
        {"nonce": "n"},
        {"typ": "JWT"},
        {"typ": None},
        {"key": ECKey.generate_key("P-256", {"kid": "k"})},
    ],
)
def test_one_thing_wrong(changed: dict[str, Any]) -> None:
    with pytest.raises(SignInFailed):
        client().ended(token(**changed))


def session(sub: str, sid: str) -> dict[str, Any]:
    return {"claims": {"sub": sub, "sid": sid}}


def test_it_ends_one_session_or_all_of_a_person_as_often_as_it_comes() -> None:
    signed_in = SignedIn()
    one, two = signed_in.begin(session("p", "1")), signed_in.begin(session("p", "2"))
    other = signed_in.begin(session("q", "3"))
    for _ in range(2):
        signed_in.end({"sub": "p", "sid": "1"})
    assert [signed_in.get(key) is None for key in (one, two, other)] == [True, False, False]
    signed_in.end({"sub": "p"})
    assert [signed_in.get(key) is None for key in (two, other)] == [True, False]


def test_a_session_that_ended_while_it_began_does_not_begin() -> None:
    signed_in = SignedIn()
    signed_in.end({"sub": "p", "sid": "1"})
    with pytest.raises(SignInFailed):
        signed_in.begin(session("p", "1"))
    assert signed_in.begin(session("p", "2"))
