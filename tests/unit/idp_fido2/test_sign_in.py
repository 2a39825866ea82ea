"""Sign-ins: what is accepted, and each check of WebAuthn L3 §7.2 by one spoilt thing."""

import json
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from fido2 import cbor

from idp.contracts import PasskeyState
from idp.errors import ProofRejected
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.security_key import (
    AT,
    BE,
    BS,
    EDDSA,
    ES256,
    ES384,
    RS256,
    UP,
    UV,
    SecurityKey,
    attested_data,
    form,
)
from tests.unit.idp_fido2.scene import ORIGIN, PERSON, Scene

HOST = "id.example.go.kr"
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_a_sign_in_names_its_person(enrolled: Scene) -> None:
    proof = enrolled.sign_in()
    [passkey] = enrolled.register.rows.values()
    assert proof.identifier == PERSON
    assert proof.passkey == passkey.id
    assert proof.credential == ""
    assert proof.at == enrolled.now
    assert proof.means == {"user_verified"}
    assert proof.amr == {"pop", "user", "mfa"}
    assert passkey.version == 1
    assert passkey.data["counter"] == 2


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, ES384, RS256])
def test_every_algorithm_that_is_offered(scene: Scene, algorithm: int) -> None:
    scene.enrol(SecurityKey(ORIGIN, algorithms=(algorithm,)))
    key = SecurityKey(ORIGIN, algorithms=(algorithm,))
    new = scene.enrol(key)
    assert scene.sign_in(key).passkey == scene.register.rows[new.credential_id].id


def test_nothing_is_asked_that_tells_who_has_keys(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    step = enrolled.method.begin(attempt)
    assert step.page == {
        "options": {
            "challenge": attempt.nonce,
            "rpId": HOST,
            "userVerification": "required",
            "timeout": 120_000,
        }
    }
    assert step.state == {}


def test_a_synced_passkey_is_secured_by_software(scene: Scene) -> None:
    phone = SecurityKey(ORIGIN, flags=UP | UV | BE | BS, counts=0, attachment="platform")
    new = scene.enrol(phone)
    assert new.on_this_device
    assert new.data["synced"] is True
    proof = scene.sign_in(phone)
    assert proof.amr == {"pop", "user", "mfa", "swk"}
    assert proof.means == {"user_verified"}


def test_whether_copies_exist_is_kept_up_to_date(scene: Scene) -> None:
    phone = SecurityKey(ORIGIN, flags=UP | UV | BE, counts=0)
    new = scene.enrol(phone)
    assert new.data["synced"] is False
    scene.sign_in(phone, flags=UP | UV | BE | BS)
    assert scene.register.rows[new.credential_id].data["synced"] is True


# --- what the browser says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        f"https://sub.{HOST}",
        f"https://{HOST}:8443",
        f"https://{HOST}:443",
        f"http://{HOST}",
        f"https://{HOST}/",
        f"https://{HOST}@evil.example",
        f"https://evil-{HOST}",
        f"https://bad{HOST}",
        f"https://{HOST}.evil.example",
        f"https://{HOST}.",
        f"HTTPS://{HOST}",
        "https://example.go.kr",
        "null",
        None,
        "",
        0,
        [ORIGIN],
        {"origin": ORIGIN},
        "android:apk-key-hash:lir5oIjf552K/XN4bTul0VS3SL6WqzmYT6FjdRDGEHQ",
    ],
)
def test_a190_another_origin(enrolled: Scene, origin: object) -> None:
    assert enrolled.refused(client_data={"origin": origin}) is Reason.PASSKEY_ORIGIN


def test_a190_no_origin(enrolled: Scene) -> None:
    assert enrolled.refused(client_data={"origin": jws.DROP}) is Reason.PASSKEY_ORIGIN


def test_a191_another_ceremony(enrolled: Scene) -> None:
    for type_ in ("webauthn.create", "payment.get", "", None, jws.DROP):
        assert enrolled.refused(client_data={"type": type_}) is Reason.PASSKEY_CHALLENGE


def test_a191_another_challenge(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    for challenge in (attempt.nonce + "=", attempt.nonce[:-1], "", None, 7, jws.DROP, "가"):
        answer = enrolled.key.get(
            {"challenge": attempt.nonce}, client_data={"challenge": challenge}
        )
        assert enrolled.answer_refused(attempt, answer) is Reason.PASSKEY_CHALLENGE


def test_half_a_pair_of_surrogates_in_what_the_browser_says(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    good = {"type": "webauthn.get", "challenge": attempt.nonce, "origin": ORIGIN}
    for name in good:
        said = json.dumps({**good, name: "\ud800"}).encode()
        answer = enrolled.key.get({"challenge": attempt.nonce}, client_data=said)
        reason = enrolled.answer_refused(attempt, answer)
        assert reason in (Reason.PASSKEY_CHALLENGE, Reason.PASSKEY_ORIGIN)


def test_a191_the_challenge_of_another_sign_in(enrolled: Scene) -> None:
    mine, others = enrolled.attempt(), enrolled.attempt()
    answer = enrolled.key.get({"challenge": others.nonce})
    assert enrolled.answer_refused(mine, answer) is Reason.PASSKEY_CHALLENGE
    assert enrolled.complete(others, answer)


def test_a191_the_challenge_of_a_registration(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    options = enrolled.method.begin_enrolment(attempt, enrolled.owner).page["options"]
    answer = enrolled.key.create(options)
    for method in (enrolled.method.complete, enrolled.method.complete_enrolment):
        other = enrolled.attempt()
        with pytest.raises(ProofRejected) as caught:
            method(other, {}, form(answer))
        assert caught.value.reason is Reason.PASSKEY_CHALLENGE


def test_a191_too_late(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    answer = enrolled.key.get({"challenge": attempt.nonce})
    enrolled.now += timedelta(seconds=120)
    assert enrolled.answer_refused(attempt, answer) is Reason.PASSKEY_CHALLENGE
    enrolled.now -= timedelta(seconds=1)
    assert enrolled.complete(attempt, answer)


def test_a191_members_twice_and_byte_order_marks(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    good = jws.dump(
        {"type": "webauthn.get", "challenge": attempt.nonce, "origin": ORIGIN, "crossOrigin": False}
    )
    for bad in (
        b'{"origin":"https://evil.example",' + good[1:],
        good[:-1] + b',"type":"webauthn.get"}',
        b'{"nested":{"a":1,"a":2},' + good[1:],
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
        good + b"{}",
        good[:-1] + b',"n":NaN}',
        good[:-1],
        b"[" * 100_000,
        b"[" + good + b"]",
        b'{"pad":"' + b"x" * 5000 + b'",' + good[1:],
        b"\xff",
        b"",
    ):
        answer = enrolled.key.get({"challenge": attempt.nonce}, client_data=bad)
        assert enrolled.answer_refused(attempt, answer) is Reason.PASSKEY_MALFORMED
    answer = enrolled.key.get({"challenge": attempt.nonce}, client_data=good)
    assert enrolled.complete(attempt, answer)


def test_members_that_are_not_known_are_ignored(enrolled: Scene) -> None:  # L3 §5.8.1
    more = {
        "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        "tokenBinding": {"status": "supported"},
    }
    assert enrolled.sign_in(client_data=more)


@pytest.mark.parametrize("said", [True, "false", 0, None, [], "true"])
def test_a193_in_another_sites_frame(enrolled: Scene, said: object) -> None:
    assert enrolled.refused(client_data={"crossOrigin": said}) is Reason.PASSKEY_ORIGIN


@pytest.mark.parametrize("said", ["https://evil.example", ORIGIN, None, ""])
def test_a193_below_another_page(enrolled: Scene, said: object) -> None:
    assert enrolled.refused(client_data={"topOrigin": said}) is Reason.PASSKEY_ORIGIN


def test_browsers_that_do_not_say_cross_origin(enrolled: Scene) -> None:
    assert enrolled.sign_in(client_data={"crossOrigin": jws.DROP})


# --- what the authenticator says --------------------------------------------------------------------


def test_a191_another_domain(enrolled: Scene) -> None:
    for rp_id in ("example.go.kr", f"sub.{HOST}", ""):
        assert enrolled.refused(rp_id=rp_id) is Reason.PASSKEY_ORIGIN


@pytest.mark.parametrize("flags", [0, UP, UV])
def test_a192_nobody_there_or_nobody_verified(enrolled: Scene, flags: int) -> None:
    assert enrolled.refused(flags=flags) is Reason.PASSKEY_UNVERIFIED


def test_a194_backed_up_though_it_cannot_be(enrolled: Scene) -> None:
    assert enrolled.refused(flags=UP | UV | BS) is Reason.PASSKEY_BACKUP


def test_a194_eligibility_has_changed(enrolled: Scene) -> None:
    assert enrolled.refused(flags=UP | UV | BE) is Reason.PASSKEY_BACKUP
    phone = SecurityKey(ORIGIN, flags=UP | UV | BE)
    enrolled.enrol(phone)
    assert enrolled.refused(key=phone, flags=UP | UV) is Reason.PASSKEY_BACKUP


@pytest.mark.parametrize(("before", "after"), [(5, 5), (5, 4), (5, 0), (1, 1)])
def test_a195_a_counter_that_does_not_rise(scene: Scene, before: int, after: int) -> None:
    new = scene.enrol(counter=before)
    assert scene.refused(counter=after) is Reason.PASSKEY_COUNTER
    passkey = scene.register.rows[new.credential_id]
    assert passkey.state is PasskeyState.SUSPENDED
    assert scene.register.suspended == [(passkey.id, Reason.PASSKEY_COUNTER)]
    # Now neither the thief nor the owner gets in.
    assert scene.refused(counter=before + 9) is Reason.PASSKEY_SUSPENDED


def test_a195_a_clone(enrolled: Scene) -> None:
    clone = enrolled.key.clone()
    assert enrolled.sign_in(clone)
    assert enrolled.refused() is Reason.PASSKEY_COUNTER
    assert enrolled.refused(key=clone) is Reason.PASSKEY_SUSPENDED


def test_a195_refused_only_where_that_is_the_rule() -> None:
    scene = Scene(counter="refuse")
    scene.enrol(counter=5)
    assert scene.refused(counter=5) is Reason.PASSKEY_COUNTER
    assert scene.register.suspended == []
    assert scene.sign_in(counter=6)


def test_a_counter_that_stays_zero(scene: Scene) -> None:
    scene.enrol(counter=0)
    assert scene.sign_in(counter=0)
    assert scene.sign_in(counter=0)
    assert scene.sign_in(counter=1)
    assert scene.refused(counter=0) is Reason.PASSKEY_COUNTER


def test_a195_nobody_without_the_key_can_have_it_suspended(scene: Scene) -> None:
    scene.enrol(counter=5)
    assert scene.refused(counter=1, signature=b"no") is Reason.PASSKEY_SIGNATURE
    assert scene.register.suspended == []


# --- whose it is ------------------------------------------------------------------------------------


def test_a196_whose_handle(enrolled: Scene) -> None:
    for handle in (secrets.token_bytes(32), b"", enrolled.owner.user_handle[:-1]):
        refused = enrolled.refused(response={"userHandle": jws.encode(handle)})
        assert refused is Reason.PASSKEY_UNKNOWN
    for missing in (None, jws.DROP, 5):
        refused = enrolled.refused(response={"userHandle": missing})
        assert refused is Reason.PASSKEY_MALFORMED


def test_a196_id_is_raw_id(enrolled: Scene) -> None:
    other = jws.encode(secrets.token_bytes(32))
    for members in ({"id": other}, {"rawId": other}, {"id": jws.DROP}, {"type": "password"}):
        assert enrolled.refused(members=members) is Reason.PASSKEY_MALFORMED


def test_a196_unknown_removed_and_someone_elses_are_one_answer(enrolled: Scene) -> None:
    stranger = Scene()
    stranger.enrol()
    details = set()
    attempt = enrolled.attempt()
    unknown = stranger.key.get({"challenge": attempt.nonce})
    other = enrolled.key.get(
        {"challenge": attempt.nonce},
        response={"userHandle": jws.encode(stranger.owner.user_handle)},
    )
    for answer in (unknown, other):
        with pytest.raises(ProofRejected) as caught:
            enrolled.complete(attempt, answer)
        details.add((caught.value.reason, caught.value.detail))
    [credential_id] = enrolled.register.rows
    enrolled.register.change(credential_id, state=PasskeyState.REMOVED)
    with pytest.raises(ProofRejected) as caught:
        enrolled.complete(attempt, enrolled.key.get({"challenge": attempt.nonce}))
    details.add((caught.value.reason, caught.value.detail))
    assert [reason for reason, _ in details] == [Reason.PASSKEY_UNKNOWN]


def test_that_it_is_suspended_is_told_to_its_holder_alone(enrolled: Scene) -> None:
    [credential_id] = enrolled.register.rows
    enrolled.register.change(credential_id, state=PasskeyState.SUSPENDED)
    assert enrolled.refused() is Reason.PASSKEY_SUSPENDED
    assert enrolled.refused(signature=b"x") is Reason.PASSKEY_SIGNATURE


# --- the signature ----------------------------------------------------------------------------------


def test_a197_one_bit_of_the_signature_or_of_what_is_signed(enrolled: Scene) -> None:
    dice = random.Random(197)
    attempt = enrolled.attempt()
    good = enrolled.key.get({"challenge": attempt.nonce})
    for _ in range(10_000):
        response = dict(good["response"])
        name = dice.choice(["signature", "authenticatorData", "clientDataJSON"])
        data = bytearray(jws.decode(response[name]))
        bit = dice.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        response[name] = jws.encode(bytes(data))
        with pytest.raises(ProofRejected):
            enrolled.complete(attempt, {**good, "response": response})
    assert enrolled.complete(attempt, good)


def test_a197_a_key_that_comes_along_is_not_used(enrolled: Scene) -> None:
    thief = SecurityKey(ORIGIN)
    credential = thief.new_credential(ES256, enrolled.owner.user_handle, HOST)
    mine = replace(credential, id=enrolled.key.credentials[0].id)
    with pytest.raises(ProofRejected) as caught:
        enrolled.sign_in(thief, credential=mine, response={"publicKey": jws.encode(b"x")})
    assert caught.value.reason is Reason.PASSKEY_SIGNATURE


def test_a197_a_new_credential_in_a_sign_in(enrolled: Scene) -> None:
    credential = enrolled.key.credentials[0]
    more = attested_data(bytes(16), credential.id, credential.cose())
    assert enrolled.refused(flags=UP | UV | AT, extensions=b"") is Reason.PASSKEY_MALFORMED
    attempt = enrolled.attempt()
    answer = enrolled.key.get({"challenge": attempt.nonce}, flags=UP | UV | AT)
    data = jws.decode(answer["response"]["authenticatorData"]) + more
    answer["response"]["authenticatorData"] = jws.encode(data)
    assert enrolled.answer_refused(attempt, answer) is Reason.PASSKEY_MALFORMED


def test_a197_extensions_are_ignored(enrolled: Scene) -> None:
    outputs = cbor.encode({"credProtect": 3, "hmac-secret": b"x" * 64, "junk": [{"a": True}]})
    assert enrolled.sign_in(extensions=outputs)
    junk = {"appid": True, "credProps": {"rk": "<script>"}, "junk": [1, {"a": None}]}
    assert enrolled.sign_in(members={"clientExtensionResults": junk})


@pytest.mark.parametrize(
    "extensions",
    [
        b"\x00",  # no map
        cbor.encode({"a": 1}) + b"\x00",
        b"\xa1\x61a",
        b"\xbf\xff",  # indefinite
        b"\xa2\x61a\x01\x61a\x02",  # a key twice
        b"\xa1\x61a" * 20 + b"\xa0",  # deep
        b"\xa1\x61a\xfb" + bytes(8),  # a float
    ],
)
def test_a106_extensions_that_are_no_good_cbor(enrolled: Scene, extensions: bytes) -> None:
    assert enrolled.refused(extensions=extensions) is Reason.PASSKEY_MALFORMED


# --- once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [0, 1])
def test_a203_the_same_answer_twice(scene: Scene, counts: int) -> None:
    scene.key.counts = counts
    scene.enrol()
    attempt = scene.attempt()
    answer = scene.key.get({"challenge": attempt.nonce})
    assert scene.complete(attempt, answer)
    assert scene.answer_refused(attempt, answer) is Reason.PASSKEY_CHALLENGE
    assert scene.register.suspended == []  # a double click is no copy


def test_a203_the_same_answer_at_two_nodes_at_once(enrolled: Scene) -> None:
    attempt = enrolled.attempt()
    answer = enrolled.key.get({"challenge": attempt.nonce})
    [passkey] = enrolled.register.rows.values()
    # The other node has looked up the passkey before this one was done with it.
    other = enrolled.open()
    enrolled.register.find = lambda _id: passkey  # type: ignore[method-assign]
    assert enrolled.complete(attempt, answer)
    with pytest.raises(ProofRejected) as caught:
        other.complete(attempt, {}, form(answer))
    assert caught.value.reason is Reason.PASSKEY_CHALLENGE
    assert enrolled.register.suspended == []


def test_many_keys_sign_in_at_once(scene: Scene) -> None:
    keys = [SecurityKey(ORIGIN) for _ in range(8)]
    for key in keys:
        scene.enrol(key)
    with ThreadPoolExecutor(8) as pool:
        proofs = list(pool.map(scene.sign_in, keys))
    assert len({proof.passkey for proof in proofs}) == 8


# --- the form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"credential": ""},
        {"credential": "[]"},
        {"credential": "null"},
        {"credential": 5},
        {"credential": "{" * 5000},
        {"credential": '{"a":1,"a":1}'},
        {"credential": '{"pad":"' + "x" * 70_000 + '"}'},
        {"credential": "\ud800"},
    ],
)
def test_answers_that_are_none(enrolled: Scene, answer: dict[str, object]) -> None:
    for complete in (enrolled.method.complete, enrolled.method.complete_enrolment):
        with pytest.raises(ProofRejected) as caught:
            complete(enrolled.attempt(), {}, answer)
        assert caught.value.reason is Reason.PASSKEY_MALFORMED


@pytest.mark.parametrize("name", ["clientDataJSON", "authenticatorData", "signature"])
def test_base64url_in_its_one_spelling(enrolled: Scene, name: str) -> None:
    attempt = enrolled.attempt()
    good = enrolled.key.get({"challenge": attempt.nonce})["response"]
    text = good[name]
    spoilt = [text + "=", text + " ", "\n" + text, text.replace("A", "+"), None, 5, [], text + "가"]
    if len(text) % 4:
        spoilt.append(text[:-1] + BASE64URL[(BASE64URL.index(text[-1]) + 1)])
    for value in spoilt:
        if value == text:
            continue
        answer = enrolled.key.get({"challenge": attempt.nonce}, response={name: value})
        assert enrolled.answer_refused(attempt, answer) is Reason.PASSKEY_MALFORMED
    for missing in ({"response": jws.DROP}, {"response": []}):
        assert enrolled.refused(members=missing) is Reason.PASSKEY_MALFORMED


@pytest.mark.parametrize("length", [0, 1024])
def test_credential_ids_of_other_lengths(enrolled: Scene, length: int) -> None:
    text = jws.encode(bytes(length))
    assert enrolled.refused(members={"id": text, "rawId": text}) is Reason.PASSKEY_MALFORMED
