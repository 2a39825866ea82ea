"""The attackers' tools make good things before they make bad ones."""

import json

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe, jws
from joserfc.jwk import ECKey

from tests.attacks.attacker import root, signed, x5c
from tests.attacks.forge import Maker, b64, compact, decode, es256, jwk_of
from tests.attacks.holder import encrypt

KEY = ec.generate_private_key(ec.SECP256R1())


def test_a_good_jws_verifies() -> None:
    text = compact('{"alg": "ES256"}', '{"a": 1}', es256(KEY))
    found = jws.deserialize_compact(text, ECKey.import_key(jwk_of(KEY.public_key())), ["ES256"])
    assert json.loads(found.payload) == {"a": 1}


def test_a_good_jwe_decrypts() -> None:
    for enc, parties in (("A128GCM", {}), ("A256GCM", {"apu": "QQ", "apv": "Qg"})):
        header = {"alg": "ECDH-ES", "enc": enc, "kid": "k", **parties}
        sealed = encrypt(b"secret", jwk_of(KEY.public_key()), header)
        opened = jwe.decrypt_compact(sealed, ECKey.import_key(_private()), ["ECDH-ES", enc])
        assert opened.plaintext == b"secret"


def _private() -> dict[str, str]:
    number = KEY.private_numbers().private_value.to_bytes(32, "big")
    return {**jwk_of(KEY.public_key()), "d": b64(number)}


def test_every_forgery_has_its_own_name_and_differs_from_the_good_one() -> None:
    maker = Maker({"alg": "ES256", "kid": "k"}, {"iat": 1, "sub": "s"}, KEY.public_key(), KEY)
    good = compact('{"alg": "ES256", "kid": "k"}', '{"iat": 1, "sub": "s"}', es256(KEY))
    forged = [*maker.signatures(), *maker.headers(), *maker.payloads(es256(KEY))]
    forged += maker.texts(good)
    assert len({name for name, _ in forged}) == len(forged) > 40
    assert good not in {jwt for _, jwt in forged}


def test_an_attackers_chain_is_sound_but_for_its_root() -> None:
    top = root("https://id.test")
    leaf = top.issue("https://id.test")
    leaf.certificate.verify_directly_issued_by(top.certificate)
    header, payload = decode(signed({"iss": "https://id.test"}, leaf, x5c(leaf)))
    assert payload == {"iss": "https://id.test"}
    assert len(header["x5c"]) == 1
