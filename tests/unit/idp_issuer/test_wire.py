"""Strict reading, and that it stays cheap on hostile text (A-108)."""

import time

import pytest

from idp_issuer import sd_jwt
from idp_issuer.wire import MAX_DEPTH, NotStrict, base64url, json_object, json_value, to_base64url


def test_json_of_ordinary_kind() -> None:
    text = '{"a":[1,2.5,{"b":null}],"c":"\\"[[[[[[[[[[[[[[[[[[[[","한":"글"}'
    assert json_object(text.encode()) == {
        "a": [1, 2.5, {"b": None}],
        "c": '"' + "[" * 20,
        "한": "글",
    }


def test_json_depth() -> None:
    assert json_value(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(NotStrict):
        json_value(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "hostile",
    [
        b'"' * 65535,
        b'\\"' * 32000,
        b'"' + b'\\"' * 32000,
        b'"' + b"a" * 65000,
        b"[" * 65000,
        b"{}" * 32000,
        b'"\\' * 32000,
    ],
)
def test_hostile_json_is_refused_quickly(hostile: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(NotStrict):
        json_object(hostile)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "text", ["A", "AA=", "AA==", "AB", "A+", "A/", " AA", "AA\n", "ＡＡ", "AAAAA"]
)
def test_base64url_that_is_not_canonical(text: str) -> None:
    with pytest.raises(NotStrict):
        base64url(text)


def test_base64url_both_ways() -> None:
    for length in range(70):
        assert base64url(to_base64url(bytes(range(length)))) == bytes(range(length))


def test_disclosure_of_the_specification() -> None:
    """RFC 9901 §4.2.3: a digest is over the disclosure's text."""
    text = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert sd_jwt.digest(text) == "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY"
    assert base64url(sd_jwt.disclosure("s", "name", "홍길동")).decode() == '["s", "name", "홍길동"]'


@pytest.mark.parametrize("name", ["iss", "exp", "nbf", "iat", "cnf", "vct", "status", "_sd"])
def test_what_must_stand_open_is_never_behind_a_disclosure(name: str) -> None:
    with pytest.raises(ValueError, match="selectively"):
        sd_jwt.build({}, {name: 1}, digests=8, token=lambda _n: "t", sign=lambda _claims: "")
