"""What was asked for, valid now, naming one person (A-100 to A-107, A-150, A-151, A-161, A-164)."""

import json
from typing import Any

import pytest

from idp.events import Reason
from tests.fakes import jws
from tests.fakes.certificates import new_key
from tests.fakes.issuer import PERSON, IssuedCredential
from tests.unit.idp_mobile_id.scene import Scene

SECP521R1_SIGNATURE = 132


def refused_number(scene: Scene, number: Any) -> Reason:
    credential = scene.credential(person={**PERSON, "personnel_number": number})
    return scene.refused_presentation(scene.present(credential))


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS256", "ES384", "EdDSA", 1, jws.DROP])
def test_a100_another_algorithm(scene: Scene, alg: Any) -> None:
    public_key = scene.own.signer.certificate.public_bytes(jws_encoding())
    keys: list[Any] = [None, b"", public_key, scene.own.signer.key]
    for key in keys:
        reason = scene.refused_credential(header={"alg": alg}, key=key)
        assert reason is Reason.ISSUER_SIGNATURE


def jws_encoding() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_a100_no_signature_and_the_zero_signature(scene: Scene) -> None:
    credential = scene.credential()
    signed = credential.token.rpartition(".")[0]
    for signature in (
        b"",
        bytes(64),
        bytes(63),
        bytes(65),
        bytes(SECP521R1_SIGNATURE),
        b"\xff" * 64,
    ):
        forged = IssuedCredential(f"{signed}.{jws.encode(signature)}", credential.disclosures)
        assert scene.refused_presentation(scene.present(forged)) is Reason.ISSUER_SIGNATURE


def test_a100_another_key(scene: Scene) -> None:
    assert scene.refused_credential(key=new_key()) is Reason.ISSUER_SIGNATURE


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "crit", "b64", "zip", "cty"])
def test_a101_a102_headers_that_bring_keys_or_extensions(scene: Scene, name: str) -> None:
    values = {"jwk": jws.public_jwk(new_key()), "crit": ["b64"], "b64": False}
    header = {name: values.get(name, "https://canary.example/")}
    assert scene.refused_credential(header=header) is Reason.ISSUER_SIGNATURE
    text = scene.present(header=header)
    assert scene.refused_presentation(text) is Reason.HOLDER_BINDING
    assert scene.fetched == []


def test_a102_json_serialisation(scene: Scene) -> None:
    general = json.dumps({"payload": "e30", "signatures": []})
    forged = IssuedCredential(general, scene.credential().disclosures)
    assert scene.refused_presentation(scene.present(forged)) is Reason.ISSUER_SIGNATURE


@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss": "http://localhost:8000", "iss": "http://localhost:8000"}',
        b'{"exp": NaN}',
        b'{"exp": 1e999}',
        b'{"exp": ' + b"9" * 5000 + b"}",
        b"[]",
        b"",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b'\xef\xbb\xbf{"iss": "x"}',
        b"[" * 3000,
        b'{"a":' * 3000,
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"iss": "\\ud800"}',
    ],
)
def test_a104_a105_claims_that_are_not_strict_json(scene: Scene, payload: bytes) -> None:
    assert scene.refused_credential(claims=payload) is Reason.ISSUER_SIGNATURE


@pytest.mark.parametrize("spoilt", ["{}=", "{} ", " {}", "{}\n", "{}.", ".{}", "{}.{}", "é{}"])
def test_a107_another_spelling_of_the_token(scene: Scene, spoilt: str) -> None:
    credential = scene.credential()
    forged = IssuedCredential(spoilt.replace("{}", credential.token), credential.disclosures)
    reasons = (Reason.ISSUER_SIGNATURE, Reason.PROOF_MALFORMED)
    assert scene.refused_presentation(scene.present(forged)) in reasons


def test_a107_stray_last_bits(scene: Scene) -> None:
    credential = scene.credential()
    last = credential.token[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(last) ^ 1]  # the same 64 bytes to a lax decoder
    forged = IssuedCredential(credential.token[:-1] + sibling, credential.disclosures)
    assert scene.refused_presentation(scene.present(forged)) is Reason.ISSUER_SIGNATURE


def test_a107_a_credential_beyond_its_size(scene: Scene) -> None:
    reason = scene.refused_credential(claims={"ballast": "x" * 16 * 1024})
    assert reason is Reason.ISSUER_SIGNATURE


@pytest.mark.parametrize(
    "typ", ["vc+sd-jwt", "DC+SD-JWT", "JWT", "example+sd-jwt", "", 1, jws.DROP]
)
def test_a150_another_typ(scene: Scene, typ: Any) -> None:
    assert scene.refused_credential(header={"typ": typ}) is Reason.ISSUER_SIGNATURE


@pytest.mark.parametrize(
    "vct",
    ["https://canary.example/type", "urn:gongmu:credential:mobile-id:2", "", None, [], jws.DROP],
)
def test_a150_another_type_of_credential(scene: Scene, vct: Any) -> None:
    assert scene.refused_credential(claims={"vct": vct}) is Reason.CREDENTIAL_TYPE
    assert scene.fetched == []


@pytest.mark.parametrize("exp", [0, "2099", True, 1.5, None, [], 2**70, -1, jws.DROP])
def test_a151_a_credential_that_has_expired_or_never_would(scene: Scene, exp: Any) -> None:
    assert scene.refused_credential(claims={"exp": exp}) is Reason.CREDENTIAL_EXPIRED


def test_a151_the_last_second(scene: Scene) -> None:
    now = int(scene.now.timestamp())
    assert scene.refused_credential(claims={"exp": now}) is Reason.CREDENTIAL_EXPIRED
    assert scene.complete(scene.answer(scene.present(scene.credential(claims={"exp": now + 1}))))


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a151_a_credential_of_the_future(scene: Scene, name: str) -> None:
    now = int(scene.now.timestamp())
    for value in (now + 61, "1", None, 1.0):
        assert scene.refused_credential(claims={name: value}) is Reason.CREDENTIAL_NOT_YET
    for good in (now + 60, jws.DROP):
        credential = scene.credential(claims={name: good})
        assert scene.complete(scene.answer(scene.present(credential)))


@pytest.mark.parametrize(
    "number",
    [
        "",
        " 20180001",
        "20180001 ",
        "20180001\n",
        "２０１８０００１",
        "2018000l\u0430",
        "홍길동",
        "9" * 65,
        "9" * 10_240,
        20180001,
        None,
        ["20180001"],
        {"value": "1"},
        "../20180001",
        "*",
        "20180001)(uid=*",
        "\u0000",
    ],
)
def test_a161_a_number_that_is_none(scene: Scene, number: Any) -> None:
    assert refused_number(scene, number) is Reason.CREDENTIAL_CLAIMS


def test_a161_no_number_revealed(scene: Scene) -> None:
    assert scene.refused_presentation(scene.present(reveal=["name"])) is Reason.CREDENTIAL_CLAIMS
    assert scene.refused_presentation(scene.present(reveal=[])) is Reason.CREDENTIAL_CLAIMS


def test_a161_the_same_number_of_another_issuer_is_another_person(scene: Scene) -> None:
    ours = scene.complete().identifier
    theirs = scene.complete(scene.answer(scene.present(scene.credential(scene.foreign)))).identifier
    assert ours.number == theirs.number
    assert ours != theirs


def test_a161_nothing_else_that_the_wallet_says_is_taken(scene: Scene) -> None:
    person = {**PERSON, "acr": "phrh", "amr": ["hwk", "user"], "auth_time": 1, "sub": "admin"}
    credential = scene.credential(person=person)
    claims = {"acr": "phrh", "amr": ["hwk"], "auth_time": 1, "sub": "admin"}
    proof = scene.complete(
        scene.answer(scene.present(credential, reveal=list(person), claims=claims))
    )
    assert proof.amr == {"pop"}
    assert proof.means == frozenset()
    assert proof.at == scene.now
    assert proof.identifier.number == PERSON["personnel_number"]


def test_a161_two_people_in_one_answer(scene: Scene) -> None:
    other = scene.present(scene.credential(person={**PERSON, "personnel_number": "20180002"}))
    answer = scene.wallet.answer(scene.request, scene.present(), other)
    assert scene.refused(answer) is Reason.PROOF_QUERY


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({}, Reason.PROOF_QUERY),
        ({"mobile_id": []}, Reason.PROOF_QUERY),
        ({"mobile_id": "text"}, Reason.PROOF_QUERY),
        ({"mobile_id": [{}]}, Reason.PROOF_QUERY),
        ({"mobile_id": [None]}, Reason.PROOF_QUERY),
        ({"other": ["x"]}, Reason.PROOF_QUERY),
        ([], Reason.PROOF_MALFORMED),
        ("text", Reason.PROOF_MALFORMED),
        (None, Reason.PROOF_MALFORMED),
        (jws.DROP, Reason.PROOF_MALFORMED),
        ({"mobile_id": [""]}, Reason.PROOF_MALFORMED),
        ({"mobile_id": ["~~~"]}, Reason.HOLDER_BINDING),
        ({"mobile_id": ["a~b"]}, Reason.ISSUER_SIGNATURE),
        ({"mobile_id": ["é~b"]}, Reason.PROOF_MALFORMED),
    ],
)
def test_an_answer_without_what_was_asked(scene: Scene, token: Any, reason: Reason) -> None:
    assert scene.refused(scene.answer(payload={"vp_token": token})) is reason


def test_a164_what_was_not_asked_is_dropped_unread(scene: Scene) -> None:
    token = {"mobile_id": [scene.present()], "driving_licence": ["rubbish"], "x": 7}
    assert scene.complete(scene.answer(payload={"vp_token": token, "presentation_submission": {}}))
