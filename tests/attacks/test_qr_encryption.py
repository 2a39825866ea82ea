"""Spoilt encryption of a presentation, and what a broken wallet may put into it (A-103, A-153, A-161)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.expect import each_refused, is_refused
from tests.attacks.forge import b64, jwk_of
from tests.attacks.holder import Answer, Held, encrypt, fetched
from tests.desk import Desk

pytestmark = pytest.mark.services
NewDesk = Callable[..., Desk]
OTHER = ec.generate_private_key(ec.SECP256R1())


def test_a103_a153_answers_that_are_not_encrypted_as_asked(new_desk: NewDesk, held: Held) -> None:
    desk = new_desk()
    answer = fetched(held, desk.wallet_link)
    plain = {"vp_token": json.dumps(answer.vp()["vp_token"]), "state": answer.state}
    assert is_refused(desk, answer, plain) == "proof_unencrypted"
    stranger = {**jwk_of(OTHER.public_key()), "kid": answer.jwk["kid"]}
    spoils = [
        ("another key", lambda a: setattr(a, "jwk", stranger)),
        ("kid unknown", lambda a: a.jwe_header.update(kid="unknown")),
        ("kid a list", lambda a: a.jwe_header.update(kid=["a"])),
        ("RSA-OAEP", lambda a: a.jwe_header.update(alg="RSA-OAEP")),
        ("RSA1_5", lambda a: a.jwe_header.update(alg="RSA1_5")),
        ("dir", lambda a: a.jwe_header.update(alg="dir")),
        ("PBES2", lambda a: a.jwe_header.update(alg="PBES2-HS256+A128KW", p2c=10**7, p2s="AA")),
        ("enc not offered", lambda a: a.jwe_header.update(enc="A128CBC-HS256")),
        ("zip", lambda a: a.jwe_header.update(zip="DEF")),
        ("crit", lambda a: a.jwe_header.update(crit=["x"], x=1)),
        ("epk off the curve", lambda a: a.jwe_header.update(epk=_off_curve())),
        ("epk of another curve", lambda a: a.jwe_header.update(epk=_other_curve())),
        ("epk missing", lambda a: a.jwe_header.update(epk=None)),
    ]
    each_refused(new_desk, held, spoils, "proof_decryption", "proof_malformed")


def _off_curve() -> dict[str, str]:
    jwk = jwk_of(OTHER.public_key())
    return {**jwk, "y": b64(bytes(31) + b"\x07")}


def _other_curve() -> dict[str, str]:
    return jwk_of(ec.generate_private_key(ec.SECP384R1()).public_key())


def test_a103_a153_spoilt_ciphertexts(new_desk: NewDesk, held: Held) -> None:
    def cut(position: int, text: Callable[[str], str]) -> Callable[[Answer], dict[str, str]]:
        def form(answer: Answer) -> dict[str, str]:
            parts = answer.build()["response"].split(".")
            parts[position] = text(parts[position])
            return {"response": ".".join(parts)}

        return form

    for name, form in (
        ("tag cut", cut(4, lambda text: text[:11])),
        ("no tag", cut(4, lambda _: "")),
        ("iv cut", cut(2, lambda text: text[:8])),
        ("bit flipped", cut(3, lambda text: ("A" if text[0] != "A" else "B") + text[1:])),
        ("an encrypted key", cut(1, lambda _: "AAAA")),
        ("header not JSON", cut(0, lambda _: "AAAA")),
        ("four parts", lambda a: {"response": a.build()["response"].rpartition(".")[0]}),
        ("a JWS", lambda a: {"response": a.held.issuer_jwt}),
        ("nothing", lambda _: {"response": ""}),
        ("no field", lambda _: {"other": "x"}),
    ):
        desk = new_desk()
        answer = fetched(held, desk.wallet_link)
        reason = is_refused(desk, answer, form(answer))
        assert reason in {"proof_decryption", "proof_malformed", "proof_unencrypted"}, name


def test_a153_junk_inside_the_encryption(new_desk: NewDesk, held: Held) -> None:
    for plain in (
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 3000 + b"]" * 3000,
        b'{"vp_token": null, "state": null}',
        b'{"state": 1, "state": 2}',
    ):
        desk = new_desk()
        answer = fetched(held, desk.wallet_link)
        form = {"response": encrypt(plain, answer.jwk, answer.jwe_header)}
        assert is_refused(desk, answer, form) in {"proof_malformed", "proof_state"}, plain[:20]


def test_a153_party_info_of_real_wallets_is_fine(desk: Desk, answer: Answer) -> None:
    answer.jwe_header.update(apu=b64(b"wallet"), apv=b64(answer.ask.object["nonce"].encode()))
    assert answer.post().status_code == 200


def test_a161_two_presentations_or_credentials(new_desk: NewDesk, held: Held) -> None:
    def tokens(answer: Answer) -> Iterator[tuple[str, Any]]:
        one = answer.presentation()
        yield "two of one query", {answer.query_id: [one, one]}
        yield "none", {answer.query_id: []}
        yield "a text", {answer.query_id: one}
        yield "another query", {"other": [one]}
        yield "a list", [one]
        yield "empty", {}
        yield "a number", {answer.query_id: [1]}

    names = [name for name, _ in tokens(fetched(held, new_desk().wallet_link))]
    for name in names:
        desk = new_desk()
        answer = fetched(held, desk.wallet_link)
        plain = json.dumps({"vp_token": dict(tokens(answer))[name], "state": answer.state})
        form = {"response": encrypt(plain.encode(), answer.jwk, answer.jwe_header)}
        assert is_refused(desk, answer, form) in {"proof_malformed", "proof_query"}, name
