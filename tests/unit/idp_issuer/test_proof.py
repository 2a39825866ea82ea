"""A-100, A-101, A-102, A-104, A-105, A-107, A-171: what a key proof must not be. One field spoilt at a time."""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp.errors import RequestError
from idp.events import Reason
from idp_issuer import proof
from tests.unit.idp_issuer.world import ISSUER, b64, sign_raw, unb64, without_none

NOW = datetime(2027, 3, 5, 9, 41, 23, tzinfo=UTC)
IAT = int(NOW.timestamp())
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
JWK = {name: KEY.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
HEADER = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": JWK}
CLAIMS = {"aud": ISSUER, "iat": IAT, "nonce": "n-1"}


def made(header: Any = None, claims: Any = None, key: ECKey = KEY) -> str:
    return sign_raw(
        without_none({**HEADER, **(header or {})}), without_none({**CLAIMS, **(claims or {})}), key
    )


def check(jwt: str, client_id: str = "") -> proof.HolderKey:
    return proof.check(jwt, ISSUER, NOW, client_id)


def refused(jwt: str, client_id: str = "") -> None:
    with pytest.raises(RequestError) as caught:
        check(jwt, client_id)
    assert (caught.value.code, caught.value.status) == ("invalid_proof", 400)
    assert caught.value.reason is Reason.HOLDER_PROOF
    assert caught.value.public.isascii()


def test_a_good_proof() -> None:
    key = check(made())
    assert key == proof.HolderKey(JWK, KEY.thumbprint(), "n-1")


def test_members_of_the_key_that_are_not_its_point_do_not_reach_the_credential() -> None:
    key = check(made({"jwk": {**JWK, "kid": "x", "use": "sig", "alg": "ES256"}}))
    assert key == proof.HolderKey(JWK, KEY.thumbprint(), "n-1")


@pytest.mark.parametrize("iat", [IAT - 299, IAT + 59])
def test_clocks_may_differ_a_little(iat: int) -> None:
    check(made(claims={"iat": iat}))


def test_a_large_header_that_we_do_not_read_is_fine() -> None:
    check(made({"key_attestation": "e" * 4000}))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "kb+jwt"},
        {"typ": "OPENID4VCI-PROOF+JWT"},
        {"typ": ["openid4vci-proof+jwt"]},
        {"alg": None},
        {"alg": "none"},
        {"alg": "nOnE"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": ["ES256"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"jwk": None},
        {"jwk": None, "kid": "known-to-nobody"},
        {"kid": "beside jwk"},
        {"x5c": ["MIIB"]},
        {"x5c": []},
        {"kid": ""},
        {"trust_chain": []},
        {"jwk": "key"},
        {"jwk": [JWK]},
        {"jwk": {}},
        {"jwk": {**JWK, "d": "AAAA"}},
        {"jwk": {**JWK, "d": KEY.as_dict(private=True)["d"]}},
        {"jwk": {**JWK, "k": "AAAA"}},
        {"jwk": {**JWK, "kty": "oct"}},
        {"jwk": {**JWK, "crv": "P-384"}},
        {"jwk": {**JWK, "crv": "P-521"}},
        {"jwk": {**JWK, "crv": "secp256k1"}},
        {"jwk": {**JWK, "use": "enc"}},
        {"jwk": {**JWK, "alg": "ECDH-ES"}},
        {"jwk": {**JWK, "x": JWK["y"]}},  # not a point of the curve
        {"jwk": {**JWK, "x": b64(bytes(32)), "y": b64(bytes(32))}},
        {"jwk": {**JWK, "x": JWK["x"] + "="}},
        {"jwk": {**JWK, "x": "AA" + JWK["x"]}},
        {"jwk": {**JWK, "x": b64(b"\x00" + unb64(JWK["x"]))}},  # the same number, spelt longer
        {"jwk": {**JWK, "x": 7}},
        {"jwk": {**JWK, "y": None}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": JWK["x"]}},
        {"jwk": {**JWK, "x": JWK["x"][:-1] + ("Q" if JWK["x"][-1] != "Q" else "Y")}},
    ],
)
def test_header_refused(header: dict[str, Any]) -> None:
    refused(made(header))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": None},
        {"aud": ISSUER + "/"},
        {"aud": ISSUER + "/issuer"},
        {"aud": [ISSUER]},
        {"aud": "https://evil.example"},
        {"iat": None},
        {"iat": IAT - 301},
        {"iat": IAT + 61},
        {"iat": str(IAT)},
        {"iat": float(IAT)},
        {"iat": True},
        {"iat": 10**400},
        {"exp": IAT - 61},
        {"exp": "never"},
        {"nbf": IAT + 61},
        {"nbf": IAT + 0.5},
        {"nbf": True},
        {"x": "A" * 17000},
        {"nonce": None},
        {"nonce": ""},
        {"nonce": 7},
        {"nonce": ["n-1"]},
        {"nonce": "n" * 129},
        {"iss": "wallet"},  # anonymous at the token endpoint
        {"iss": ""},
    ],
)
def test_claims_refused(claims: dict[str, Any]) -> None:
    refused(made(claims=claims))


def test_iss_is_the_client_of_the_access_token() -> None:
    check(made(claims={"iss": "wallet"}), "wallet")
    check(made(), "wallet")
    refused(made(claims={"iss": "other"}), "wallet")


def test_signature_by_another_key() -> None:
    refused(made(key=OTHER))


@pytest.mark.parametrize(
    "signature", ["", "AAAA", b64(bytes(64)), b64(bytes(63)), b64(b"\xff" * 64), b64(bytes(4096))]
)
def test_signature_that_is_none(signature: str) -> None:
    refused(made().rsplit(".", 1)[0] + "." + signature)


def test_hs256_with_the_public_key_as_secret() -> None:
    header = b64(json.dumps({**HEADER, "alg": "HS256"}).encode())
    text = f"{header}.{b64(json.dumps(CLAIMS).encode())}"
    for secret in (json.dumps(JWK).encode(), KEY.as_pem(private=False), b""):
        refused(f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}")


SPOILT: dict[str, Callable[[str], str]] = {
    "padding": lambda jwt: jwt + "==",
    "space in front": lambda jwt: " " + jwt,
    "line at the end": lambda jwt: jwt + "\n",
    "two parts": lambda jwt: jwt.rsplit(".", 1)[0],
    "four parts": lambda jwt: jwt + ".",
    "empty": lambda _jwt: "",
    "json form": lambda _jwt: json.dumps({"payload": "", "signatures": []}),
    "not ascii": lambda jwt: jwt.replace("e", "е", 1),
    "endless": lambda jwt: jwt + "A" * 20000,
    "spare bits": lambda jwt: jwt[:-1] + chr(ord(jwt[-1]) + 1),
    "changed claims": lambda jwt: ".".join(
        [jwt.split(".")[0], b64(json.dumps({**CLAIMS, "nonce": "n-2"}).encode()), jwt.split(".")[2]]
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_text_that_is_not_a_compact_jws(how: str) -> None:
    refused(SPOILT[how](made()))


@pytest.mark.parametrize(
    "claims",
    [
        b'{"aud":"%s","aud":"%s"}' % (ISSUER.encode(), ISSUER.encode()),
        json.dumps(CLAIMS).encode()[:-1] + b',"x":NaN}',
        json.dumps(CLAIMS).encode()[:-1] + b',"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        json.dumps(CLAIMS).encode()[:-1] + b',"x":' + b"9" * 5000 + b"}",
        json.dumps(CLAIMS).encode()[:-1] + b',"x":"\\ud800"}',
        json.dumps(CLAIMS).encode()[:-1] + b',"x":"\xff"}',
        b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(),
        b"[]",
        b"",
        b'"text"',
    ],
    ids=["twice", "nan", "deep", "huge", "half", "utf8", "bom", "list", "empty", "text"],
)
def test_json_that_is_not_strict(claims: bytes) -> None:
    refused(sign_raw(HEADER, claims, KEY))


def test_header_with_a_member_twice() -> None:
    text = json.dumps(HEADER).encode()[:-1] + b',"alg":"ES256"}'
    refused(sign_raw(text, CLAIMS, KEY))


def test_addresses_in_the_header_are_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("socket.socket.connect", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **_: asked.append(arguments) or [])
    check(made({"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x"}))
    refused(made({"jku": "https://evil.example/jwks", "jwk": None}))
    refused(made({"jku": "https://evil.example/jwks"}, key=OTHER))
    assert asked == []
