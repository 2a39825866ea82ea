"""Only the holder, for us, for this login, just now (A-140 to A-146)."""

from datetime import timedelta
from typing import Any

import pytest

from idp.events import Reason
from tests.fakes import jws
from tests.fakes.certificates import new_key
from tests.fakes.issuer import IssuedCredential
from tests.fakes.wallet import FakeWallet
from tests.unit.idp_mobile_id.scene import Scene


@pytest.mark.parametrize("nonce", ["", "old", jws.DROP, 7, ["x"], None])
def test_a140_another_nonce(scene: Scene, nonce: Any) -> None:
    text = scene.present(claims={"nonce": nonce})
    assert scene.refused_presentation(text) is Reason.HOLDER_NONCE


def test_a140_the_nonce_of_a_parallel_login(scene: Scene) -> None:
    text = scene.present(claims={"nonce": scene.new_attempt().nonce})
    assert scene.refused_presentation(text) is Reason.HOLDER_NONCE


def test_a141_another_audience(scene: Scene) -> None:
    ours = scene.request["client_id"]
    wrong: list[Any] = [
        ours.removeprefix("x509_hash:"),
        [ours],
        "x509_hash:" + "A" * 43,
        ours + "/",
    ]
    wrong += ["", None, jws.DROP, scene.request["response_uri"], ours.upper(), 1]
    for audience in wrong:
        text = scene.present(claims={"aud": audience})
        assert scene.refused_presentation(text) is Reason.HOLDER_AUDIENCE


def test_a143_an_answer_to_one_login_at_another(scene: Scene) -> None:
    answer = scene.answer()
    scene.attempt = scene.new_attempt()
    scene.state = scene.method.begin(scene.attempt).state
    assert scene.refused(answer) is Reason.PROOF_DECRYPTION


def test_a143_state_and_presentation_of_two_logins(scene: Scene) -> None:
    presentation, request = scene.present(), scene.request
    scene.attempt = scene.new_attempt()
    scene.state = scene.method.begin(scene.attempt).state
    scene.request = scene.read_request()
    assert scene.refused_presentation(presentation) is Reason.HOLDER_NONCE
    assert scene.refused(scene.answer(payload={"state": request["state"]})) is Reason.PROOF_STATE


def test_a144_no_key_binding(scene: Scene) -> None:
    text = scene.present()
    assert scene.refused_presentation(text[: text.rindex("~") + 1]) is Reason.HOLDER_BINDING
    # A holder's JWT alone is no credential either.
    assert scene.refused_presentation(text[text.rindex("~") + 1 :]) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize("typ", ["JWT", "KB+JWT", "kb+jwt ", "application/kb+jwt", "", 1, jws.DROP])
def test_a144_key_binding_of_another_typ(scene: Scene, typ: Any) -> None:
    text = scene.present(header={"typ": typ})
    assert scene.refused_presentation(text) is Reason.HOLDER_BINDING


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS256", "RS256", "ES384", "", jws.DROP])
def test_a144_key_binding_with_another_algorithm(scene: Scene, alg: Any) -> None:
    keys: list[Any] = [None, b"", b"secret", scene.wallet.key]
    for key in keys:
        text = scene.present(header={"alg": alg}, key=key)
        assert scene.refused_presentation(text) is Reason.HOLDER_BINDING


@pytest.mark.parametrize("key", [None, b"secret", new_key()])
def test_a144_key_binding_signed_by_another_key(scene: Scene, key: Any) -> None:
    assert scene.refused_presentation(scene.present(key=key)) is Reason.HOLDER_BINDING


def test_a144_a_thiefs_key_in_cnf_breaks_the_issuers_signature(scene: Scene) -> None:
    thief, credential = FakeWallet(), scene.credential()
    header, body, signature = credential.token.split(".")
    claims = jws.claims_of(credential.token) | {"cnf": {"jwk": jws.public_jwk(thief.key)}}
    body = jws.encode(jws.dump(claims))
    forged = IssuedCredential(f"{header}.{body}.{signature}", credential.disclosures)
    text = thief.present(forged, scene.request, scene.now)
    assert scene.refused_presentation(text) is Reason.ISSUER_SIGNATURE


def test_a144_a_key_that_the_holder_brings_along_does_not_count(scene: Scene) -> None:
    thief = new_key()
    for header in ({"jwk": jws.public_jwk(thief)}, {"x5c": ["AA=="]}, {"kid": "1"}):
        text = scene.present(header=header, key=thief)
        assert scene.refused_presentation(text) is Reason.HOLDER_BINDING


@pytest.mark.parametrize(
    "cnf",
    [
        jws.DROP,
        None,
        {},
        {"kid": "1"},
        {"jku": "https://canary.example/"},
        {"jwk": None},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": 1, "y": 2}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"jwk": {"kty": "EC", "crv": "P-256"}},
        {"jwk": {"kty": "EC", "crv": ["P-256"]}},
        [],
    ],
)
def test_a144_a_credential_that_is_bound_to_no_key(scene: Scene, cnf: Any) -> None:
    assert scene.refused_credential(claims={"cnf": cnf}) is Reason.HOLDER_BINDING


def test_a144_a_private_key_in_cnf(scene: Scene) -> None:
    jwk = {**jws.public_jwk(scene.wallet.key), "d": "A" * 43}
    assert scene.refused_credential(claims={"cnf": {"jwk": jwk}}) is Reason.HOLDER_BINDING


@pytest.mark.parametrize("sd_hash", [jws.DROP, "", None, 5, "A" * 43])
def test_a145_no_hash_of_the_presentation(scene: Scene, sd_hash: Any) -> None:
    text = scene.present(claims={"sd_hash": sd_hash})
    assert scene.refused_presentation(text) is Reason.HOLDER_HASH


def test_a145_a_disclosure_added_or_taken_after_the_holder_signed(scene: Scene) -> None:
    credential = scene.credential()
    text = scene.present(credential)
    token, disclosure, key_binding = text.split("~")
    more = "~".join([token, disclosure, credential.disclosures["name"], key_binding])
    assert scene.refused_presentation(more) is Reason.HOLDER_HASH
    both = scene.present(credential, reveal=["personnel_number", "name"])
    token, number, _, key_binding = both.split("~")
    assert scene.refused_presentation(f"{token}~{number}~{key_binding}") is Reason.HOLDER_HASH


@pytest.mark.parametrize("seconds", [-600, -301, 61, 120, 86400, -86400])
def test_a146_a_signature_of_another_time(scene: Scene, seconds: int) -> None:
    issued = int((scene.now + timedelta(seconds=seconds)).timestamp())
    text = scene.present(claims={"iat": issued})
    assert scene.refused_presentation(text) is Reason.HOLDER_TIME


@pytest.mark.parametrize("seconds", [-120, -30, 0, 30, 60])
def test_a146_a_phones_clock_may_be_a_little_off(scene: Scene, seconds: int) -> None:
    issued = int((scene.now + timedelta(seconds=seconds)).timestamp())
    assert scene.complete(scene.answer(scene.present(claims={"iat": issued})))


@pytest.mark.parametrize("iat", [jws.DROP, None, "1795510800", 1.5, True, -1, 2**70, [], b"NaN"])
def test_a146_a_time_that_is_none(scene: Scene, iat: Any) -> None:
    claims: Any = {"iat": iat}
    if iat == b"NaN":
        claims = b'{"iat": NaN}'
    reasons = (Reason.HOLDER_TIME, Reason.HOLDER_BINDING)
    assert scene.refused_presentation(scene.present(claims=claims)) in reasons


def test_a146_an_expired_key_binding(scene: Scene) -> None:
    now = int(scene.now.timestamp())
    text = scene.present(claims={"exp": now})
    assert scene.refused_presentation(text) is Reason.HOLDER_TIME
    assert scene.complete(scene.answer(scene.present(claims={"exp": now + 1})))


def test_a_wrong_state_refuses_even_a_good_presentation(scene: Scene) -> None:
    for state in (jws.DROP, "", "A" * 43, None, 1, [scene.state["state"]]):
        assert scene.refused(scene.answer(payload={"state": state})) is Reason.PROOF_STATE
