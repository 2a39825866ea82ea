"""One spelling, one algorithm, one kind of key (A-100, A-104, A-107)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id import jose
from tests.fakes import jws
from tests.fakes.certificates import new_key

REASON = Reason.ISSUER_SIGNATURE
HEADER = {"alg": "ES256", "typ": "JWT"}


def token_with_short_s() -> tuple[str, Any]:
    """A token and its key, such that zeros before s make a longer spelling of the signature."""
    key = new_key()
    return jws.sign(HEADER, {"a": 1}, key), key.public_key()


def test_a_right_signature_is_taken() -> None:
    token, key = token_with_short_s()
    jose.verify_es256(jose.parse_jws(token, "JWT", REASON), key, REASON)


def test_a107_a_signature_has_one_length() -> None:
    token, key = token_with_short_s()
    signed, _, signature = token.rpartition(".")
    raw = jws.decode(signature)
    for spelling in (raw[:32] + b"\0" + raw[32:], raw[:63], raw[:32], b""):
        parsed = jose.parse_jws(f"{signed}.{jws.encode(spelling)}", "JWT", REASON)
        with pytest.raises(ProofRejected):
            jose.verify_es256(parsed, key, REASON)


def test_a100_a_key_on_another_curve() -> None:
    key = new_key(ec.SECP256K1())
    parsed = jose.parse_jws(jws.sign(HEADER, {"a": 1}, key), "JWT", REASON)
    with pytest.raises(ProofRejected, match="P-256"):
        jose.verify_es256(parsed, key.public_key(), REASON)


@pytest.mark.parametrize("token", [None, 1, b"a.b.c", ["a.b.c"], "a.b", "a.b.c.d", ""])
def test_something_that_is_no_token(token: Any) -> None:
    with pytest.raises(ProofRejected):
        jose.parse_jws(token, "JWT", REASON)


def test_a_token_has_a_largest_size() -> None:
    token = jws.sign(HEADER, {"a": "x" * 100}, new_key())
    assert jose.parse_jws(token, "JWT", REASON, len(token))
    with pytest.raises(ProofRejected):
        jose.parse_jws(token, "JWT", REASON, len(token) - 1)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"kty": "OKP"},
        {"kty": jws.DROP},
        {"crv": "P-384"},
        {"crv": jws.DROP},
        {"x": 1},
        {"y": 1},
        {"x": None},
        {"y": jws.DROP},
        {"d": "AA"},
        {"d": None},
    ],
)
def test_a_jwk_with_one_wrong_member(spoilt: dict[str, Any]) -> None:
    jwk = jws.public_jwk(new_key())
    assert jose.public_key(jwk, REASON)
    with pytest.raises(ProofRejected):
        jose.public_key(jws.spoil(jwk, spoilt), REASON)


@pytest.mark.parametrize("name", ["x", "y"])
def test_a107_a_coordinate_has_one_length(name: str) -> None:
    jwk = jws.public_jwk(new_key())
    longer = {**jwk, name: jws.encode(b"\0" + jws.decode(jwk[name]))}
    with pytest.raises(ProofRejected):
        jose.public_key(longer, REASON)


@pytest.mark.parametrize("value", [0, 1, 2**40 - 1])
def test_a_time_in_whole_seconds(value: int) -> None:
    assert jose.moment({"exp": value}, "exp", REASON) == value
    assert jose.moment({}, "exp", REASON) is None


@pytest.mark.parametrize("value", [True, False, -1, 2**40, 1.0, "1", None, [], {}])
def test_a104_a_time_that_is_none(value: Any) -> None:
    with pytest.raises(ProofRejected):
        jose.moment({"exp": value}, "exp", REASON)
