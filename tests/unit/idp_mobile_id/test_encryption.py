"""The encrypted answer, its abuses, and forged errors (A-103, A-153, A-154)."""

import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id import jwe as ours
from tests.fakes import jws
from tests.fakes.certificates import new_key
from tests.unit.idp_mobile_id.scene import Scene


def respelt(answer: dict[str, str], **header: Any) -> dict[str, str]:
    """The same answer with other words in its header."""
    first, rest = answer["response"].split(".", 1)
    spoilt = jws.spoil(json.loads(jws.decode(first)), header)
    return {"response": f"{jws.encode(jws.dump(spoilt))}.{rest}"}


def sealed(private: Any, header: Any, iv: bytes = bytes(12)) -> str:
    """A right JWE with more members in its header than any library would write."""
    sender = new_key()
    good = {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": private["kid"],
        "epk": jws.public_jwk(sender),
        **header,
    }
    first = jws.encode(jws.dump(good))
    numbers = {name: int.from_bytes(jws.decode(private[name]), "big") for name in "xy"}
    theirs = ec.EllipticCurvePublicNumbers(curve=ec.SECP256R1(), **numbers).public_key()
    secret = sender.exchange(ec.ECDH(), theirs)
    info = b"\0\0\0\x07A256GCM" + bytes(8) + (256).to_bytes(4, "big")
    key = sha256(b"\0\0\0\x01" + secret + info).digest()  # RFC 7518 §4.6.2, one round
    text = AESGCM(key).encrypt(iv, b"{}", first.encode())
    return ".".join([first, "", *(jws.encode(part) for part in (iv, text[:-16], text[-16:]))])


def test_a153_an_unencrypted_answer(scene: Scene) -> None:
    token = json.dumps({"mobile_id": [scene.present()]})
    plain = {"vp_token": token, "state": scene.request["state"]}
    assert scene.refused(plain) is Reason.PROOF_UNENCRYPTED
    assert scene.refused({}) is Reason.PROOF_UNENCRYPTED


def test_a153_the_last_logins_key(scene: Scene) -> None:
    answer = scene.answer()
    scene.state = scene.method.begin(scene.attempt).state
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION
    # Not even when its name is put over it.
    kid = scene.read_request()["client_metadata"]["jwks"]["keys"][0]["kid"]
    assert scene.refused(respelt(answer, kid=kid)) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("kid", ["other", "", None, jws.DROP, 1])
def test_a153_an_unknown_key_id(scene: Scene, kid: Any) -> None:
    assert scene.refused(respelt(scene.answer(), kid=kid)) is Reason.PROOF_DECRYPTION
    if kid in ("other", jws.DROP):
        assert scene.refused(scene.answer(header={"kid": kid})) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("name", ["apu", "apv"])
@pytest.mark.parametrize("value", ["%", "AB", "AAA=", "A" * 5000, 1, None, [], {}])
def test_a153_junk_for_the_parties(scene: Scene, name: str, value: Any) -> None:
    assert scene.refused(respelt(scene.answer(), **{name: value})) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("enc", ["A192GCM", "A128CBC-HS256"])
def test_a103_an_encryption_that_was_not_offered(scene: Scene, enc: str) -> None:
    answer = scene.answer(header={"enc": enc}, algorithms=("ECDH-ES", enc))
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION


def test_a103_wrapped_keys(scene: Scene) -> None:
    algorithms = ("ECDH-ES+A128KW", "A256GCM")
    answer = scene.answer(header={"alg": "ECDH-ES+A128KW"}, algorithms=algorithms)
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("alg", ["RSA-OAEP", "dir", "PBES2-HS256+A128KW"])
def test_a103_other_key_managements(scene: Scene, alg: str) -> None:
    key: Any = OctKey.generate_key(256)
    if alg.startswith("RSA"):
        key = RSAKey.import_key(rsa.generate_private_key(65537, 2048))
    header = {"alg": alg, "enc": "A256GCM", "kid": scene.state["key"]["kid"]}
    token = jwe.encrypt_compact(header, b"{}", key, algorithms=[alg, "A256GCM"])
    assert scene.refused({"response": token}) is Reason.PROOF_DECRYPTION
    endless = respelt({"response": token}, p2c=10_000_000)
    assert scene.refused(endless) is Reason.PROOF_DECRYPTION
    oracle = respelt({"response": token}, alg="RSA1_5")
    assert scene.refused(oracle) is Reason.PROOF_DECRYPTION
    misnamed = sealed(scene.state["key"], {"alg": alg})  # right but for its name
    assert scene.refused({"response": misnamed}) is Reason.PROOF_DECRYPTION


def test_a103_a_compressed_bomb(scene: Scene) -> None:
    payload = jws.dump({"state": scene.request["state"], "x": "0" * 1_000_000})
    algorithms = ("ECDH-ES", "A256GCM", "DEF")
    answer = scene.answer(payload=payload, header={"zip": "DEF"}, algorithms=algorithms)
    assert len(answer["response"]) < 4096
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize(
    "epk",
    [
        jws.DROP,
        None,
        "x",
        [],
        {},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "_" * 43, "y": "_" * 43},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        jws.public_jwk(new_key(ec.SECP384R1())),
        jws.public_jwk(new_key()),
    ],
)
def test_a103_a_point_off_the_curve(scene: Scene, epk: Any) -> None:
    assert scene.refused(respelt(scene.answer(), epk=epk)) is Reason.PROOF_DECRYPTION


def test_a103_every_part_cut_off_changed_or_respelt(scene: Scene) -> None:
    parts = scene.answer()["response"].split(".")
    for at in range(5):
        for spoil in (
            lambda t: t[:-1],
            lambda t: t + "A",
            lambda t: t + "=",
            lambda _: "",
            lambda t: t[::-1],
        ):
            changed = [spoil(part) if index == at else part for index, part in enumerate(parts)]
            if changed != parts:
                answer = {"response": ".".join(changed)}
                assert scene.refused(answer) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("length", [0, 1, 4, 8, 12, 15])
def test_a103_a_tag_that_could_be_guessed(scene: Scene, length: int) -> None:
    *rest, tag = scene.answer()["response"].split(".")
    answer = {"response": ".".join([*rest, jws.encode(jws.decode(tag)[:length])])}
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION


def test_a103_parts_of_another_length(scene: Scene) -> None:
    private = scene.state["key"]
    assert scene.refused({"response": sealed(private, {}, bytes(16))}) is Reason.PROOF_DECRYPTION
    *first, text, tag = scene.answer()["response"].split(".")
    whole = jws.decode(text) + jws.decode(tag)
    for length in (15, 17):  # the same bytes, parted elsewhere
        parts = [jws.encode(whole[:-length]), jws.encode(whole[-length:])]
        answer = {"response": ".".join([*first, *parts])}
        assert scene.refused(answer) is Reason.PROOF_DECRYPTION


@pytest.mark.parametrize("name", ["crit", "jku", "x5u", "jwk", "x5c"])
def test_a101_headers_that_bring_keys(scene: Scene, name: str) -> None:
    key = OctKey.generate_key(256)
    answer = respelt(scene.answer(), **{name: "https://canary.example/"})
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION
    # Also when the sender meant it, and everything else is right.
    private = scene.state["key"]
    token = sealed(private, {name: [key.as_dict()["k"]]})
    with pytest.raises(ProofRejected):
        ours.decrypt(token, private)
    assert ours.decrypt(sealed(private, {"harmless": ["x"]}), private) == b"{}"


def test_a103_a_header_beyond_its_size(scene: Scene) -> None:
    private = scene.state["key"]
    assert ours.decrypt(sealed(private, {"ballast": "x" * 4000}), private) == b"{}"
    with pytest.raises(ProofRejected):
        ours.decrypt(sealed(private, {"ballast": "x" * 8192}), private)
    assert scene.complete(scene.answer(header={"apv": "A" * 700}))
    assert scene.refused(scene.answer(header={"apv": "A" * 1028})) is Reason.PROOF_DECRYPTION


def test_a103_one_error_for_everything(scene: Scene) -> None:
    details = set()
    for token in ("", "a.b.c.d.e", respelt(scene.answer(), kid="x")["response"]):
        with pytest.raises(ProofRejected) as caught:
            ours.decrypt(token, scene.state["key"])
        details.add((caught.value.detail, caught.value.reason))
    assert len(details) == 1


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b"\xff", b'{"state": "a", "state": "a"}', b"[" * 3000, b"1"]
)
def test_a103_after_decryption_it_is_as_hostile_as_before(scene: Scene, payload: bytes) -> None:
    assert scene.refused(scene.answer(payload=payload)) is Reason.PROOF_MALFORMED


def test_a_presentation_within_a_presentation_format_too_large(scene: Scene) -> None:
    assert scene.refused({"response": "A" * (256 * 1024 + 1)}) is Reason.PROOF_MALFORMED
    assert scene.refused({"response": "A", "more": "A" * 256 * 1024}) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize("answer", [{"response": 1}, {"response": None}, {"response": ["x"]}])
def test_fields_that_are_no_text(scene: Scene, answer: dict[str, Any]) -> None:
    assert scene.refused(answer) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize("state", [None, "", "wrong", "한글", "A" * 43])
def test_a154_a_forged_error_without_our_state(scene: Scene, state: str | None) -> None:
    answer = {"error": "access_denied"} | ({} if state is None else {"state": state})
    assert scene.refused(answer) is Reason.PROOF_STATE


def test_a153_unencrypted_mode_refuses_a_spoilt_vp_token(tmp_path: Any) -> None:
    scene = Scene(tmp_path, response_mode="direct_post")
    state = scene.request["state"]
    for token in ("", "[]", "{", '{"mobile_id": ["a"], "mobile_id": ["b"]}', "[" * 3000, "\ud800"):
        assert scene.refused({"vp_token": token, "state": state}) is Reason.PROOF_MALFORMED
    assert scene.refused({"vp_token": "{}", "state": "x"}) is Reason.PROOF_STATE
    assert scene.refused({"response": "a.b.c.d.e"}) is Reason.PROOF_STATE
