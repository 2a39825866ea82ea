"""Parsers of what relying parties send, given anything: a value that holds, or the named error."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from ssl import DER_cert_to_PEM_cert
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from idp import client_certificates, jws
from idp.contracts import Use
from idp.errors import RequestError
from idp.oidc import assertions, claims_parameter, hints, minting, parameters, request_objects
from idp.relying_parties import RelyingParty
from tests.fakes.certificates import Authority
from tests.unit.oidc.scene import World

KEY = ECKey.generate_key("P-256", {"kid": "fuzz"})
PARTY = RelyingParty(
    "fuzz", "fuzz", "fuzz", redirect_uris=("https://a.example.go.kr/",),
    jwks={"keys": [KEY.as_dict(private=False)]},
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "client_id", "claims", "scope", "")
_ids = count()
quick = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("parsers"))
    yield found
    found.close()


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.binary(max_size=50))
@quick
def test_parameters_are_clean_or_refused(query: bytes, body: bytes) -> None:
    with suppress(RequestError):
        for name, value in parameters.read(query, body).items():
            assert value
            assert not parameters.is_unclean(name + value)


@given(st.text(max_size=200) | JSON.map(json.dumps))
@quick
def test_a_claims_parameter_is_small_and_canonical_or_refused(text: str) -> None:
    with suppress(RequestError):
        _is_canonical(claims_parameter.read({"claims": text}))


@given(st.sampled_from(claims_parameter.SECTIONS), st.sampled_from(["sub", "acr", "name"]), JSON)
@quick
def test_a_wish_is_understood_or_refused(section: str, name: str, wish: Any) -> None:
    with suppress(RequestError):
        _is_canonical(claims_parameter.read({"claims": json.dumps({section: {name: wish}})}))


def _is_canonical(asked: claims_parameter.AskedClaims) -> None:
    if asked.text:
        again = claims_parameter.read({"claims": asked.text})
        assert again == asked


def _signed(world: World, typ: str, claims: dict[str, Any]) -> str:
    now, issuer = int(world.parts.now().timestamp()), world.parts.settings.issuer
    good = {"iss": "fuzz", "sub": "fuzz", "aud": issuer, "exp": now + 30, "jti": str(next(_ids))}
    whole = {**good, "client_id": "fuzz", **claims}
    return str(jwt.encode({"alg": "ES256", "kid": "fuzz", "typ": typ}, whole, KEY))


@given(name=st.sampled_from(NAMES), value=JSON)
@quick
def test_a_signed_request_holds_texts_or_is_refused(world: World, name: str, value: Any) -> None:
    text = _signed(world, request_objects.TYP, {name: value})
    with world.app.test_request_context("/"), suppress(RequestError):
        read = request_objects.unwrapped({"client_id": "fuzz", "request": text}, PARTY)
        assert all(isinstance(member, str) for member in read.values())


@given(name=st.sampled_from(NAMES), value=JSON)
@quick
def test_a_client_assertion_is_taken_or_not_genuine(world: World, name: str, value: Any) -> None:
    text = _signed(world, "JWT", {name: value})
    with world.app.test_request_context("/"), suppress(jws.NotGenuine):
        assert isinstance(assertions.client_of(text), str)
        assertions.check(text, PARTY)


@given(text=st.text(max_size=100) | st.lists(JSON.map(json.dumps), max_size=4).map(".".join))
@quick
def test_no_text_is_a_request_an_assertion_or_a_hint(world: World, text: str) -> None:
    with world.app.test_request_context("/"):
        for read in (hints.read, assertions.client_of, lambda one: assertions.check(one, PARTY)):
            with pytest.raises(jws.NotGenuine):
                read(text)
        with pytest.raises(RequestError):
            request_objects.unwrapped({"client_id": "fuzz", "request": text}, PARTY)


@given(name=st.sampled_from(NAMES), value=JSON)
@quick
def test_a_hint_of_ours_is_read_or_not_genuine(world: World, name: str, value: Any) -> None:
    issuer = world.parts.settings.issuer
    good = {"iss": issuer, "aud": "fuzz", "sub": "s", "sid": "i", "exp": 1}
    text = world.parts.keys.sign({**good, name: value}, minting.ID_TOKEN_TYP, Use.OIDC)
    with world.app.test_request_context("/"), suppress(jws.NotGenuine):
        hint = hints.read(text)
        assert (type(hint.sub), type(hint.sid), type(hint.expires_at)) == (str, str, int)


CERTIFICATE = Authority.root().leaf("https://a.example.go.kr", hosts=("a.example.go.kr",)).chain[0]


@given(st.lists(st.tuples(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255)), max_size=4))
@quick
def test_a_certificate_with_a_few_bytes_changed(changes: list[tuple[int, int]]) -> None:
    """In either spelling of the proxy's header (RFC 9440)."""
    der = bytearray(CERTIFICATE)
    for place, value in changes:
        der[place] = value
    for text in (f":{b64encode(der).decode()}:", quote(DER_cert_to_PEM_cert(bytes(der)))):
        with suppress(jws.NotGenuine):
            found = client_certificates.read(text)
            assert found.begins_at.tzinfo
            assert all(isinstance(name, str) for name in found.dns_names)


def test_unchanged_they_are_all_taken(world: World) -> None:
    """Else the tests above would never get past the first check."""
    issuer = world.parts.settings.issuer
    good = {"iss": issuer, "aud": "fuzz", "sub": "s", "sid": "i", "exp": 1}
    with world.app.test_request_context("/"):
        request = _signed(world, request_objects.TYP, {"scope": "openid"})
        read = request_objects.unwrapped({"client_id": "fuzz", "request": request}, PARTY)
        assert read["scope"] == "openid"
        assertions.check(_signed(world, "JWT", {}), PARTY)
        hint = world.parts.keys.sign(good, hints.ID_TOKEN_TYP, Use.OIDC)
        assert hints.read(hint).sub == "s"


def test_a_certificate_of_no_version_is_none() -> None:
    place = CERTIFICATE.index(bytes.fromhex("a003020102")) + 4  # version 3 (RFC 5280 §4.1.2.1)
    der = CERTIFICATE[:place] + b"\x01" + CERTIFICATE[place + 1 :]
    with pytest.raises(jws.NotGenuine):
        client_certificates.read(f":{b64encode(der).decode()}:")
