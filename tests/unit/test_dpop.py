"""The checks of a DPoP proof, each by a good proof with one thing spoilt (RFC 9449 §4.3, A-068)."""

import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from idp import client_certificates, dpop, jws
from idp.dpop import Call
from tests.fakes.dpop import DpopKey
from tests.fakes.jws import DROP, decode, digest, encode, public_jwk, sign

ADDRESS = "https://id.example.go.kr/oauth/token"
AT = 1_800_000_000
CALL = Call("POST", ADDRESS, AT)
TOKEN = "header.payload.signature"
KEY = DpopKey()
# The example of RFC 9449 §4.1, and the thumbprint of its key from §6.1.
EXAMPLE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
    "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
    "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg"
    "4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)


@pytest.fixture(scope="module")
def key() -> DpopKey:
    return DpopKey()


def proof(key: DpopKey, **changed: Any) -> str:
    return key.proof("POST", ADDRESS, **{"iat": AT, **changed})


def test_the_example_of_the_text() -> None:
    found = dpop.read(EXAMPLE, Call("POST", "https://server.example.com/token", 1562262616))
    assert found.thumbprint == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    assert (found.jti, found.nonce) == ("-BwC3ESc6acc2lTc", "")


def test_a_good_proof_tells_key_jti_and_nonce(key: DpopKey) -> None:
    found = dpop.read(proof(key, jti="one", nonce="two"), CALL)
    assert found == dpop.Proof(key.thumbprint, "one", "two")


def test_other_claims_and_media_type_spellings_do_no_harm(key: DpopKey) -> None:
    for typ in ("DPoP+JWT", "application/dpop+jwt"):
        dpop.read(proof(key, header={"typ": typ}, extra=[1]), CALL)


CLAIMS = [
    ("3 jti missing", {"jti": DROP}),
    ("3 jti empty", {"jti": ""}),
    ("3 jti long", {"jti": "x" * 257}),
    ("3 jti a list", {"jti": ["a"]}),
    ("3 iat missing", {"iat": DROP}),
    ("3 iat a text", {"iat": str(AT)}),
    ("3 iat a float", {"iat": float(AT)}),
    ("3 iat true", {"iat": True}),
    ("8 htm missing", {"htm": DROP}),
    ("8 htm another", {"htm": "GET"}),
    ("8 htm in lower case", {"htm": "post"}),
    ("9 htu missing", {"htu": DROP}),
    ("9 htu host in capitals", {"htu": "https://ID.example.go.kr/oauth/token"}),
    ("9 htu path in capitals", {"htu": "https://id.example.go.kr/OAuth/token"}),
    ("9 htu with a port", {"htu": "https://id.example.go.kr:8443/oauth/token"}),
    ("9 htu with a query", {"htu": f"{ADDRESS}?x=1"}),
    ("9 htu with a fragment", {"htu": f"{ADDRESS}#x"}),
    ("9 htu by http", {"htu": "http://id.example.go.kr/oauth/token"}),
    ("9 htu of another endpoint", {"htu": "https://id.example.go.kr/oauth/par"}),
    ("9 htu of another host", {"htu": "https://id.example.go.kr.evil.example/oauth/token"}),
    ("9 htu with a slash more", {"htu": f"{ADDRESS}/"}),
    ("9 htu a list", {"htu": [ADDRESS]}),
    ("10 nonce a number", {"nonce": 1}),
    ("11 iat 5 minutes ago", {"iat": AT - 300}),
    ("11 iat a moment too old", {"iat": AT - dpop.MAX_AGE_S - 1}),
    ("11 iat too far ahead", {"iat": AT + dpop.AHEAD_S + 1}),
]
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
HEADERS: list[tuple[str, dict[str, Any]]] = [
    ("4 typ missing", {"typ": DROP}),
    ("4 typ JWT", {"typ": "JWT"}),
    ("4 typ at+jwt", {"typ": "at+jwt"}),
    ("5 alg missing", {"alg": DROP}),
    ("5 alg none", {"alg": "none"}),
    ("5 alg HS256", {"alg": "HS256"}),
    ("5 alg RS256", {"alg": "RS256"}),
    ("5 alg ES384", {"alg": "ES384"}),
    ("6 alg of another key", {"alg": "EdDSA"}),
    ("7 jwk missing, kid only", {"jwk": DROP, "kid": "one"}),
    ("7 jwk a text", {"jwk": "x"}),
    ("7 jwk empty", {"jwk": {}}),
    ("7 jwk symmetric", {"jwk": {"kty": "oct", "k": "AAAA"}}),
    ("2 crit", {"crit": ["jwk"]}),
]


@pytest.mark.parametrize(("name", "changed"), CLAIMS, ids=[name for name, _ in CLAIMS])
def test_a068_each_claim(key: DpopKey, name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(jws.NotGenuine):
        dpop.read(proof(key, **changed), CALL)


@pytest.mark.parametrize(("name", "changed"), HEADERS, ids=[name for name, _ in HEADERS])
def test_a068_each_header(key: DpopKey, name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(jws.NotGenuine):
        dpop.read(proof(key, header=changed), CALL)


@pytest.mark.parametrize("member", PRIVATE)
def test_a068_a_private_member_of_the_key(key: DpopKey, member: str) -> None:
    with pytest.raises(jws.NotGenuine, match="public"):
        dpop.read(proof(key, header={"jwk": {**key.jwk, member: "AAAA"}}), CALL)


def test_a068_another_key_or_no_signature(key: DpopKey) -> None:
    good = proof(key)
    head, claims, signature = good.split(".")
    wide = ec.generate_private_key(ec.SECP521R1())
    spoilt = [
        proof(DpopKey(), header={"jwk": key.jwk}),
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head}.{claims}.{encode(bytes(64))}",
        f"{head}.{encode(json.dumps({**json.loads(decode(claims)), 'jti': 'x'}).encode())}.{signature}",
        sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": public_jwk(wide)}, {}, wide),
        f"{good},{good}",  # two headers, as a server joins them
        f"{good}, {good}",
        f"{good}=",
        "",
        "x" * 20_000,
    ]
    for text in spoilt:
        with pytest.raises(jws.NotGenuine):
            dpop.read(text, CALL)


def test_a068_the_hash_of_the_access_token(key: DpopKey) -> None:
    call = Call("GET", ADDRESS, AT, TOKEN)
    good = key.proof("GET", ADDRESS, access_token=TOKEN, iat=AT)
    assert dpop.read(good, call).thumbprint == key.thumbprint
    for ath in (DROP, "", digest("another"), digest(TOKEN) + "=", [digest(TOKEN)], "é" * 43):
        with pytest.raises(jws.NotGenuine, match="ath"):
            dpop.read(key.proof("GET", ADDRESS, iat=AT, ath=ath), call)


def test_clocks_may_differ_by_a_minute(key: DpopKey) -> None:
    for iat in (AT - dpop.MAX_AGE_S, AT - 60, AT + 10, AT + dpop.AHEAD_S):
        dpop.read(proof(key, iat=iat), CALL)


def test_each_algorithm_that_discovery_names() -> None:
    pair, key = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    numbers = pair.public_key().public_numbers()
    n = encode(numbers.n.to_bytes(256, "big"))
    of_rsa = {"kty": "RSA", "n": n, "e": "AQAB"}
    of_ed = {"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().public_bytes_raw())}
    pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    for alg, jwk, signed in (
        ("PS256", of_rsa, lambda data: pair.sign(data, pss, SHA256())),
        ("EdDSA", of_ed, key.sign),
        ("Ed25519", of_ed, key.sign),
    ):
        header = {"typ": "dpop+jwt", "alg": alg, "jwk": jwk}
        claims = {"jti": "j", "htm": "POST", "htu": ADDRESS, "iat": AT}
        body = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        found = dpop.read(f"{body}.{encode(signed(body.encode()))}", CALL)
        members = json.dumps(dict(sorted(jwk.items())), separators=(",", ":"))
        assert found.thumbprint == digest(members)
    assert {"ES256", "PS256", "EdDSA", "Ed25519"} == set(dpop.ALGORITHMS)


def test_a_short_rsa_key_is_none() -> None:
    jwk = {"kty": "RSA", "n": encode(b"\xff" * 128), "e": "AQAB"}
    with pytest.raises(jws.NotGenuine, match="RSA"):
        dpop.read(proof(DpopKey(), header={"alg": "PS256", "jwk": jwk}), CALL)


JWKS: list[dict[str, Any]] = [
    {"kty": ["EC"]},
    {"kty": None},
    {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    {"kty": "EC", "crv": "P-256", "x": "!", "y": "!"},
    {"kty": "EC", "crv": "P-256", "x": 1, "y": 1},
    {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
    {"kty": "RSA", "n": "", "e": "AQAB"},
    {"kty": "RSA", "n": encode(b"\xff" * 256), "e": ""},
    {"kty": "RSA", "n": encode(b"\xff" * 256), "e": "AA"},
    {"kty": "RSA", "n": encode(b"\xff" * 4096), "e": "AQAB"},
    {"kty": "RSA", "n": "é", "e": "AQAB"},
]


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
@pytest.mark.parametrize("jwk", JWKS, ids=range(len(JWKS)))
def test_a_key_that_is_none(key: DpopKey, alg: str, jwk: dict[str, Any]) -> None:
    with pytest.raises(jws.NotGenuine):
        dpop.read(proof(key, header={"alg": alg, "jwk": jwk}), CALL)


MEMBER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = ("typ", "alg", "jwk", "jti", "htm", "htu", "iat", "ath", "nonce")


@given(st.sampled_from(NAMES), MEMBER, st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_stands_there_is_read_or_refused(name: str, value: Any, in_header: bool) -> None:  # noqa: FBT001
    changed: dict[str, Any] = {"header": {name: value}} if in_header else {name: value}
    call = Call("POST", ADDRESS, AT, TOKEN)
    with suppress(jws.NotGenuine):
        dpop.read(KEY.proof("POST", ADDRESS, access_token=TOKEN, **{"iat": AT, **changed}), call)


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_does_harm(text: str) -> None:
    for read in (lambda: dpop.read(text, CALL), lambda: client_certificates.read(text)):
        with pytest.raises(jws.NotGenuine):
            read()
