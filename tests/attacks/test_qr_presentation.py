"""Spoilt presentations, from outside (A-140, A-141, A-144 to A-152).

Every test begins with a good answer to a live QR and spoils one thing. That the same answer,
unspoilt, signs the person in is tested first: a test that spoils nothing real would pass too.
"""

import hashlib
import json
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks import attacker
from tests.attacks.expect import each_refused, is_named_error, is_refused
from tests.attacks.forge import Maker, b64, compact, decode, es256, jwk_of, unb64
from tests.attacks.holder import Answer, Held, fetched
from tests.desk import Desk

pytestmark = pytest.mark.services
NewDesk = Callable[..., Desk]
OTHER = ec.generate_private_key(ec.SECP256R1())


def kb(answer: Answer, **claims: Any) -> None:
    answer.kb_payload.update(claims)


def test_a_good_answer_signs_in(desk: Desk, answer: Answer) -> None:
    sent = answer.post()
    assert sent.status_code == 200, sent.text
    assert "code" in desk.answered(desk.get(sent.json()["redirect_uri"]))


def test_a140_wrong_nonce(new_desk: NewDesk, held: Held) -> None:
    parallel = fetched(held, new_desk().wallet_link).ask.object["nonce"]
    spoils = [
        ("another", partial(kb, nonce=secrets.token_urlsafe(32))),
        ("of a parallel login", partial(kb, nonce=parallel)),
        ("empty", partial(kb, nonce="")),
        ("missing", partial(kb, nonce=None)),
        ("a list", partial(kb, nonce=[parallel])),
        ("a number", partial(kb, nonce=1)),
    ]
    each_refused(new_desk, held, spoils, "holder_nonce", "holder_binding")


def test_a140_nonce_of_the_former_qr(desk: Desk, held: Held) -> None:
    former = fetched(held, desk.wallet_link).ask.object["nonce"]
    desk.post(f"{desk.login}/mobile_id")
    answer = fetched(held, desk.wallet_link)
    kb(answer, nonce=former)
    assert is_refused(desk, answer) == "holder_nonce"


def test_a140_third_bad_answer_ends_the_login(desk: Desk, answer: Answer) -> None:
    good = answer.build()
    kb(answer, nonce=secrets.token_urlsafe(32))
    for _ in range(3):
        is_named_error(answer.post())
    assert desk.status()["reason"] == "too_many_rejections"
    is_named_error(answer.post(good))
    assert desk.status()["step"] == "failed"


def test_a141_wrong_audience(new_desk: NewDesk, held: Held) -> None:
    bare = fetched(held, new_desk().wallet_link).ask.client_id.partition(":")[2]
    spoils = [
        ("another verifier", partial(kb, aud=f"x509_hash:{b64(bytes(32))}")),
        ("without the prefix", partial(kb, aud=bare)),
        ("another prefix", partial(kb, aud=f"x509_san_dns:{bare}")),
        ("a list", lambda a: kb(a, aud=[a.ask.client_id])),
        ("the issuer", lambda a: kb(a, aud=a.held.provider.issuer)),
        ("the response address", lambda a: kb(a, aud=a.ask.response_uri)),
        ("missing", partial(kb, aud=None)),
    ]
    each_refused(new_desk, held, spoils, "holder_audience", "holder_binding")


def kb_jwts(answer: Answer) -> Iterator[tuple[str, str]]:
    payload = {**answer.kb_payload, "sd_hash": answer.sd_hash}
    public = answer.held.key.public_key()
    maker = Maker(answer.kb_header, payload, public, OTHER, "http://127.0.0.1:9/")
    yield from maker.signatures()
    yield from maker.headers()
    right = es256(answer.held.key)
    yield from maker.payloads(right)
    yield from maker.texts(compact(json.dumps(answer.kb_header), json.dumps(payload), right))


def test_a144_a100_to_a107_every_forged_key_binding(new_desk: NewDesk, held: Held) -> None:
    names = [name for name, _ in kb_jwts(fetched(held, new_desk().wallet_link))]
    for name in names:
        desk = new_desk()
        answer = fetched(held, desk.wallet_link)
        answer.kb_jwt = dict(kb_jwts(answer))[name]
        reason = is_refused(desk, answer)
        assert reason.startswith("holder_") or reason == "proof_malformed", f"{name}: {reason}"


def test_a144_key_binding_missing_or_of_another_kind(new_desk: NewDesk, held: Held) -> None:
    spoils = [
        ("none", lambda a: setattr(a, "kb_jwt", "")),
        ("typ JWT", lambda a: a.kb_header.update(typ="JWT")),
        ("no typ", lambda a: a.kb_header.pop("typ")),
        ("typ of a proof", lambda a: a.kb_header.update(typ="openid4vci-proof+jwt")),
        ("another key", lambda a: setattr(a, "kb_key", OTHER)),
    ]
    each_refused(new_desk, held, spoils, "holder_binding", "proof_malformed")


def swap_key(answer: Answer) -> None:
    """The attacker's key in `cnf`, the issuer's signature kept."""
    header, payload, signature = answer.issuer_jwt.split(".")
    claims = json.loads(unb64(payload))
    claims["cnf"] = {"jwk": jwk_of(OTHER.public_key())}
    answer.issuer_jwt = f"{header}.{b64(json.dumps(claims).encode())}.{signature}"
    answer.kb_key = OTHER


def test_a144_swapped_confirmation_key(new_desk: NewDesk, held: Held) -> None:
    each_refused(new_desk, held, [("cnf", swap_key)], "issuer_signature")


def test_a145_hash_of_the_presentation(new_desk: NewDesk, held: Held) -> None:
    def drop(answer: Answer) -> None:
        kb(answer, sd_hash=answer.sd_hash)
        answer.disclosures.pop()

    def without_separator(answer: Answer) -> None:
        text = "~".join([answer.issuer_jwt, *answer.disclosures])
        kb(answer, sd_hash=b64(hashlib.sha256(text.encode()).digest()))

    def other_algorithm(answer: Answer) -> None:
        text = "~".join([answer.issuer_jwt, *answer.disclosures, ""])
        kb(answer, sd_hash=b64(hashlib.sha512(text.encode()).digest()))

    spoils = [
        ("missing", partial(kb, sd_hash=None)),
        ("empty", partial(kb, sd_hash="")),
        ("a dropped disclosure", drop),
        ("without the last separator", without_separator),
        ("SHA-512", other_algorithm),
        ("padded", lambda a: kb(a, sd_hash=f"{a.sd_hash}=")),
    ]
    each_refused(new_desk, held, spoils, "holder_hash", "holder_binding")


def test_a146_time_of_the_key_binding(new_desk: NewDesk, held: Held) -> None:
    now = int(time.time())
    spoils = [
        ("ten minutes old", partial(kb, iat=now - 600)),
        ("two minutes ahead", partial(kb, iat=now + 120)),
        ("a text", partial(kb, iat=str(now))),
        ("missing", partial(kb, iat=None)),
        ("true", partial(kb, iat=True)),
        ("a list", partial(kb, iat=[now])),
    ]
    each_refused(new_desk, held, spoils, "holder_time", "holder_binding")


@pytest.mark.parametrize("skew_s", [-30, 30])
def test_a146_half_a_minute_is_no_attack(desk: Desk, answer: Answer, skew_s: int) -> None:
    kb(answer, iat=int(time.time()) + skew_s)
    assert answer.post().status_code == 200


def disclosure(*parts: Any) -> str:
    return b64(json.dumps(list(parts)).encode())


def test_a147_disclosures_the_issuer_did_not_make(new_desk: NewDesk, held: Held) -> None:
    def add(*more: str) -> Callable[[Answer], None]:
        return lambda answer: answer.disclosures.extend(more)

    spoils = [
        ("another rank", add(disclosure("salt", "rank", "minister"))),
        *((name, add(disclosure("salt", name, 1))) for name in ("iss", "exp", "cnf", "status")),
        ("vct", add(disclosure("salt", "vct", "urn:other"))),
        ("_sd", add(disclosure("salt", "_sd", ["AAAA"]))),
        ("...", add(disclosure("salt", "...", "AAAA"))),
        ("one twice", lambda a: a.disclosures.append(a.disclosures[0])),
        ("ten thousand", add(*[disclosure(str(n), "a", n) for n in range(3000)])),
        ("of two parts", add(disclosure("salt", "value"))),
        ("of four parts", add(disclosure("salt", "a", "b", "c"))),
        ("not a list", add(b64(b'{"rank": 1}'))),
        ("not JSON", add(b64(b'["salt", "rank"'))),
        ("not UTF-8", add(b64(b'["salt", "rank", "\xff\xfe"]'))),
        ("not base64", add("!!!!")),
        ("very deep", add(b64(f'["salt", "a", {"[" * 3000}{"]" * 3000}]'.encode()))),
        ("empty", add("")),
    ]
    each_refused(new_desk, held, spoils, "disclosure", "proof_malformed")


def test_a147_required_claim_left_out(new_desk: NewDesk, held: Held) -> None:
    def hide_number(answer: Answer) -> None:
        answer.disclosures = [
            one for one in answer.disclosures if b"personnel_number" not in unb64(one)
        ]

    each_refused(new_desk, held, [("number", hide_number)], "credential_claims", "proof_query")


def test_a149_issuers_we_do_not_trust(new_desk: NewDesk, held: Held) -> None:
    header, payload = decode(held.issuer_jwt)
    issuer = held.provider.issuer
    spoils = [(name, _with_jwt(jwt)) for name, jwt in attacker.foreign(header, payload, issuer)]
    reasons = ("issuer_untrusted", "issuer_chain", "issuer_signature", "proof_malformed")
    each_refused(new_desk, held, spoils, *reasons)


def _with_jwt(jwt: str) -> Callable[[Answer], None]:
    return lambda answer: setattr(answer, "issuer_jwt", jwt)


def test_a149_a100_forged_issuer_signature(new_desk: NewDesk, held: Held) -> None:
    header, payload = decode(held.issuer_jwt)
    leaf = x509.load_der_x509_certificate(b64decode(header["x5c"][0]))
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    maker = Maker(header, payload, public, OTHER, "http://127.0.0.1:9/")
    forged = [
        *maker.signatures(),
        *maker.headers(),
        *maker.payloads(es256(OTHER)),
        *maker.texts(held.issuer_jwt),
    ]
    spoils = [(name, _with_jwt(jwt)) for name, jwt in forged]
    each_refused(
        new_desk,
        held,
        spoils,
        "issuer_signature",
        "issuer_chain",
        "issuer_untrusted",
        "proof_malformed",
    )


def test_a152_a_replaced_mobile_id_is_revoked(new_desk: NewDesk, held: Held) -> None:
    provider = held.provider
    number = provider.person(index=9)
    former = Held.receive(provider, number)
    assert fetched(former, new_desk().wallet_link).post().status_code == 200
    Held.receive(provider, number)
    desk = new_desk()
    assert is_refused(desk, fetched(former, desk.wallet_link)) == "status_revoked"
