"""Whatever comes in: ProofRejected, and nothing else (B-1)."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.contracts import Attempt
from idp.errors import ProofRejected
from idp_fido2 import attestation, authenticator_data, client_data, keys, strict
from idp_fido2.client_data import Expected
from tests.fakes.attestation import Maker
from tests.fakes.security_key import AT, BE, BS, ED, UP, UV, SecurityKey, form
from tests.unit.idp_fido2.scene import ORIGIN, Scene

fuzz = settings(deadline=None, max_examples=60)  # the machine may be busy
TEXT = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)
CBOR = st.recursive(
    st.integers(-(2**63), 2**63) | st.booleans() | st.binary() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.integers(-300, 5) | st.text(max_size=3), inner)
    ),
    max_leaves=10,
)


def safe_cbor(value: Any) -> bytes:
    try:
        return cbor.encode(value)
    except (ValueError, struct.error):  # 2**64 and more has no CBOR
        return b""


FORMATS = ["packed", "tpm", "apple", "android_key", "fido_u2f", "itself"]
EXPECTED = Expected("webauthn.get", "c", (ORIGIN,))


def written(value: Any) -> bytes:
    """JSON in ASCII, so that half a pair can be written as well."""
    return json.dumps(value).encode()


@cache
def world() -> tuple[Scene, Maker]:
    folder, maker = Path(mkdtemp()), Maker()
    (folder / "root.pem").write_bytes(maker.root.pem)
    scene = Scene(attestation="requested", attestation_roots_folder=folder)
    scene.enrol()
    return scene, maker


def survives(work: Callable[[], Any]) -> None:
    with suppress(ProofRejected):
        work()


@fuzz
@given(st.text())
def test_base64url_is_canonical_or_refused(text: str) -> None:
    try:
        data = strict.decode(text)
    except ProofRejected:
        return
    assert strict.encode(data) == text


@fuzz
@given(st.binary() | st.text().map(str.encode) | JSON.map(written))
def test_client_data_of_anything(raw: bytes) -> None:
    survives(lambda: strict.load_object(raw))
    survives(lambda: client_data.check(raw, EXPECTED))


@fuzz
@given(
    st.dictionaries(
        st.sampled_from(["type", "challenge", "origin", "crossOrigin", "topOrigin"]),
        JSON | st.sampled_from(["webauthn.get", "c", ORIGIN, False]),
    )
)
def test_client_data_with_the_right_names(said: dict[str, Any]) -> None:
    good = said.get("crossOrigin", False) is False and "topOrigin" not in said
    good = good and (said.get("type"), said.get("challenge")) == ("webauthn.get", "c")
    good = good and said.get("origin") == ORIGIN
    try:
        client_data.check(written(said), EXPECTED)
    except ProofRejected:
        assert not good
    else:
        assert good


@fuzz
@given(CBOR)
def test_cbor_comes_back(value: Any) -> None:
    data = safe_cbor(value)
    survives(lambda: strict.load_cbor(data))
    if data and depth_of(value) <= strict.MAX_DEPTH:
        assert strict.load_cbor(data + b"rest") == (value, b"rest")


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (1 if isinstance(value, dict | list) else 0) + max(map(depth_of, inner), default=0)


@fuzz
@given(st.binary())
def test_cbor_of_anything(data: bytes) -> None:
    survives(lambda: strict.load_cbor(data))
    survives(lambda: attestation.parse(data))
    survives(lambda: keys.read(data))


@pytest.mark.parametrize("depth", [1, 15, 16, 17, 3000, 60_000])
def test_a106_depth(depth: int) -> None:
    for opening in (b"\x81", b"\xa1\x01"):
        data = opening * depth + b"\x00"
        if depth <= strict.MAX_DEPTH:
            assert strict.load_cbor(data)[1] == b""
        else:
            with pytest.raises(ProofRejected):
                strict.load_cbor(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1c" + bytes(20),  # reserved
        b"\x1f" + bytes(128),
        b"\x5f\x41a\xff",  # indefinite
        b"\x9f\x00\xff",
        b"\x19\x01",  # the number is cut short
        b"\x42a",
        b"\x61\xff",  # no UTF-8
        b"\xc0\x00",
        b"\xf6",
        b"\xf7",
        b"\xf8\x14",
        b"\xf9\x00\x00",
    ],
)
def test_a106_other_cbor(data: bytes) -> None:
    with pytest.raises(ProofRejected):
        strict.load_cbor(data)


def test_a_key_and_what_follows_it() -> None:
    key = cbor.encode(SecurityKey(ORIGIN).new_credential(-7, b"", "x").cose())
    assert keys.read(key)
    with pytest.raises(ProofRejected):
        keys.read(key + b"\x00")


def test_a106_what_announces_more_than_there_is() -> None:
    for head in (b"\x9b", b"\xbb", b"\x5b", b"\x7b", b"\x9a", b"\xba"):
        with pytest.raises(ProofRejected):
            strict.load_cbor(head + b"\xff" * 8)


@fuzz
@given(
    st.binary(max_size=40),
    st.sampled_from([0, AT, ED, AT | ED, UP | UV, UP | UV | BS, AT | ED | UP | UV | BE]),
    st.binary(max_size=80) | CBOR.map(safe_cbor),
)
def test_authenticator_data_of_anything(head: bytes, flags: int, rest: bytes) -> None:
    survives(lambda: authenticator_data.parse(head))
    survives(lambda: authenticator_data.parse(bytes(32) + bytes([flags]) + bytes(4) + rest))
    with_key = bytes(16) + b"\x00\x10" + bytes(16) + rest
    survives(lambda: authenticator_data.parse(bytes(32) + bytes([flags]) + bytes(4) + with_key))


@fuzz
@given(CBOR)
def test_public_keys_of_anything(value: Any) -> None:
    survives(lambda: keys.read(safe_cbor(value)))
    for label in (1, 3, -1, -2, -3):
        cose = {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32, label: value}
        survives(lambda cose=cose: keys.verify(keys.read(safe_cbor(cose)), b"", b""))


@fuzz
@given(st.dictionaries(st.sampled_from(["credential", "x"]), JSON | JSON.map(json.dumps)))
def test_answers(answer: dict[str, Any]) -> None:
    scene, _ = world()
    survives(lambda: scene.method.complete(scene.attempt(), {}, answer))
    survives(lambda: scene.method.complete_enrolment(scene.attempt(), {}, answer))


@fuzz
@given(
    JSON,
    st.sampled_from(["clientDataJSON", "authenticatorData", "signature", "userHandle"]),
    st.sampled_from(["id", "rawId", "type", "response", "authenticatorAttachment"]),
)
def test_credentials_with_any_member(value: Any, inner: str, outer: str) -> None:
    scene, _ = world()
    attempt = scene.attempt()
    options = {"challenge": attempt.nonce}
    for spoilt in ({"response": {inner: value}}, {"members": {outer: value}}):
        answer = scene.key.get(options, **spoilt)
        survives(lambda answer=answer: scene.method.complete(attempt, {}, form(answer)))


def enrolment(key: SecurityKey, **spoilt: Any) -> tuple[Attempt, dict[str, str]]:
    scene, _ = world()
    attempt = scene.attempt()
    options = scene.method.begin_enrolment(attempt, scene.owner).page["options"]
    return attempt, form(key.create(options, **spoilt))


@settings(deadline=None, max_examples=120)
@given(
    st.sampled_from(FORMATS),
    st.sampled_from(["alg", "sig", "x5c", "ver", "certInfo", "pubArea", "ecdaaKeyId", "response"]),
    CBOR.filter(lambda value: safe_cbor(value) != b""),
)
def test_statements_with_any_member(format_: str, name: str, value: Any) -> None:
    scene, maker = world()
    attest = getattr(maker, format_)
    aaguid = bytes(16) if format_ == "fido_u2f" else b"a" * 16
    attempt, answer = enrolment(
        SecurityKey(ORIGIN, attest=attest, aaguid=aaguid), statement={name: value}
    )
    survives(lambda: scene.method.complete_enrolment(attempt, {}, answer))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(FORMATS),
    st.sampled_from(["x5c", "certInfo", "pubArea", "sig"]),
    st.integers(0, 10_000),
    st.binary(min_size=1, max_size=4),
)
def test_statements_with_a_few_bytes_changed(
    format_: str, name: str, at: int, changed: bytes
) -> None:
    scene, maker = world()

    def attest(credential: Any, data: bytes, hashed: bytes) -> Any:
        made, members = getattr(maker, format_)(credential, data, hashed)
        members = dict(members)
        if name in members:
            whole = members[name]
            old = bytearray(whole[0] if name == "x5c" else whole)
            place = at % len(old)
            old[place : place + len(changed)] = changed
            members[name] = [bytes(old)] if name == "x5c" else bytes(old)
        return made, members

    aaguid = bytes(16) if format_ == "fido_u2f" else b"a" * 16
    attempt, answer = enrolment(SecurityKey(ORIGIN, attest=attest, aaguid=aaguid))
    survives(lambda: scene.method.complete_enrolment(attempt, {}, answer))
