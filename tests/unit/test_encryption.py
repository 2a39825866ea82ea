"""Encrypting to a relying party's key: read by hand, for every algorithm and method (RFC 7518 §4, §5)."""

from itertools import product

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from idp import encryption
from idp.jws import NotGenuine
from tests.fakes.jwe import PrivateKey, decrypt, jwk_of

EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, PrivateKey] = {"EC": EC_KEY, "RSA": RSA_KEY}
JWKS = {
    "keys": [
        jwk_of(ec.generate_private_key(ec.SECP256R1()), "signs", use="sig"),
        jwk_of(ec.generate_private_key(ec.SECP256R1()), "either"),
        jwk_of(EC_KEY, "ec", use="enc"),
        jwk_of(RSA_KEY, "rsa", use="enc"),
    ]
}


@pytest.mark.parametrize(
    ("algorithm", "method"), list(product(encryption.KEY_TYPES, encryption.METHODS))
)
def test_the_owner_reads_it(algorithm: str, method: str) -> None:
    kind = encryption.KEY_TYPES[algorithm]
    token = encryption.encrypt("a.b.c", JWKS, algorithm, method)
    header, plain = decrypt(token, KEYS[kind])
    assert plain == "a.b.c"
    assert (header["alg"], header["enc"], header["cty"]) == (algorithm, method, "JWT")
    assert header["kid"] == {"EC": "ec", "RSA": "rsa"}[kind]
    assert not {"d", "k"} & header.get("epk", {}).keys()


def test_nobody_else_does() -> None:
    token = encryption.encrypt("a.b.c", JWKS, "ECDH-ES", "A256GCM")
    with pytest.raises(InvalidTag):
        decrypt(token, ec.generate_private_key(ec.SECP256R1()))


def test_each_answer_has_keys_of_its_own() -> None:
    tokens = [encryption.encrypt("a.b.c", JWKS, "ECDH-ES", "") for _ in range(3)]
    headers = [decrypt(token, EC_KEY)[0] for token in tokens]
    assert len({header["epk"]["x"] for header in headers}) == 3
    assert len({token.split(".")[2] for token in tokens}) == 3
    assert {header["enc"] for header in headers} == {"A128CBC-HS256"}  # where none is registered


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "sig"},
        {"alg": "ECDH-ES+A256KW"},
        {"kty": "RSA"},
        {"key_ops": ["verify"]},
        {"key_ops": "deriveKey"},
        {"key_ops": []},
    ],
)
def test_keys_that_are_for_something_else(changed: dict[str, str]) -> None:
    with pytest.raises(NotGenuine, match="no key to encrypt to"):
        encryption.key_for({"keys": [{**jwk_of(EC_KEY, "k"), **changed}]}, "ECDH-ES")


def test_a_key_that_says_nothing_will_do() -> None:
    for more in ({}, {"key_ops": ["deriveBits"]}, {"alg": "ECDH-ES"}):
        key = {**jwk_of(EC_KEY, "k"), **more}
        assert encryption.key_for({"keys": [key]}, "ECDH-ES") == key
