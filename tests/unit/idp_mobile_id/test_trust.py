"""Whose signature counts (A-149)."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA224
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from idp.events import Reason
from tests.fakes import jws
from tests.fakes.certificates import AUTHORITY, EARLY, LATE, SIGNING, Authority, Signer, new_key
from tests.unit.idp_mobile_id.scene import BASE_URL, FOREIGN, Scene


def refused(scene: Scene, signer: Signer, **spoilt: Any) -> Reason:
    issuer = scene.own.with_signer(signer)
    return scene.refused_presentation(scene.present(scene.credential(issuer, **spoilt)))


def accepted(scene: Scene, signer: Signer) -> bool:
    credential = scene.credential(scene.own.with_signer(signer))
    return bool(scene.complete(scene.answer(scene.present(credential))))


def test_authorities_between_leaf_and_root(scene: Scene) -> None:
    two = scene.own.root.authority("one", path_length=1).authority("two", path_length=0)
    assert accepted(scene, two.leaf(BASE_URL))


def test_the_issuers_host_as_dns_name_is_enough(scene: Scene) -> None:
    assert accepted(scene, scene.own.root.leaf(hosts=("localhost",)))


def test_rsa_and_p384_authorities(scene: Scene) -> None:
    for key in (rsa.generate_private_key(65537, 2048), new_key(ec.SECP384R1())):
        assert accepted(scene, scene.own.root.authority(key=key).leaf(BASE_URL))


def test_a_renewed_root_of_the_same_name(scene: Scene) -> None:
    renewed = Authority.root()
    scene.kit = replace(scene.kit, trust_anchors=lambda _use: (scene.own.root.der, renewed.der))
    scene.method = scene.open()
    assert accepted(scene, renewed.leaf(BASE_URL))
    assert accepted(scene, scene.own.root.leaf(BASE_URL))


@pytest.mark.parametrize(
    "x5c", [jws.DROP, None, [], "x", {}, [1], ["%"], ["AAAA"], [""], ["AA=="] * 9, [None]]
)
def test_a149_no_certificates(scene: Scene, x5c: Any) -> None:
    assert scene.refused_credential(header={"x5c": x5c}) is Reason.ISSUER_CHAIN


def test_a149_a_certificate_cut_off_or_changed(scene: Scene) -> None:
    der = scene.own.signer.chain[0]
    for spoilt in (
        der[:-1],
        der + b"\0",
        der[:40],
        der[:-5] + bytes(5),
        der.replace(b"leaf", b"lead"),
    ):
        reason = scene.refused_credential(header={"x5c": [jws.base64(spoilt)]})
        assert reason is Reason.ISSUER_CHAIN


def test_a149_a_self_signed_leaf(scene: Scene) -> None:
    key = new_key()
    self_signed = Authority.root("self", key=key, ca=False, usage=SIGNING, uris=(BASE_URL,))
    assert refused(scene, Signer(key, (self_signed.der,))) is Reason.ISSUER_CHAIN


def test_a149_the_root_signs_credentials_itself(scene: Scene) -> None:
    assert refused(scene, Signer(scene.own.root.key, (scene.own.root.der,))) is Reason.ISSUER_CHAIN


def test_a149_the_root_in_the_chain(scene: Scene) -> None:
    signer = scene.own.signer
    chained = Signer(signer.key, (*signer.chain, scene.own.root.der))
    assert refused(scene, chained) is Reason.ISSUER_CHAIN


def test_a149_a_root_of_the_same_name(scene: Scene) -> None:
    stranger = Authority.root()
    assert stranger.certificate.subject == scene.own.root.certificate.subject
    assert refused(scene, stranger.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_the_root_of_another_issuer(scene: Scene) -> None:
    # The foreign issuer's root is trusted, but not for our name.
    assert refused(scene, scene.foreign.root.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_a_leaf_for_another_issuer(scene: Scene) -> None:
    for leaf in (
        scene.own.root.leaf(FOREIGN),
        scene.own.root.leaf(f"{BASE_URL}/"),
        scene.own.root.leaf(hosts=("localhost.example",)),
        scene.own.root.leaf(hosts=("*.localhost", "*")),
        scene.own.root.leaf(),
    ):
        assert refused(scene, leaf) is Reason.ISSUER_CHAIN


@pytest.mark.parametrize(
    "iss", ["https://stranger.example", f"{BASE_URL}/", "", None, 1, [], {}, jws.DROP]
)
def test_a149_an_issuer_nobody_trusts(scene: Scene, iss: Any) -> None:
    assert scene.refused_credential(claims={"iss": iss}) is Reason.ISSUER_UNTRUSTED


def test_a149_a_certificate_of_another_time(scene: Scene) -> None:
    second = timedelta(seconds=1)
    assert refused(scene, scene.own.root.leaf(BASE_URL, not_after=scene.now)) is Reason.ISSUER_CHAIN
    soon = scene.own.root.leaf(BASE_URL, not_before=scene.now + second)
    assert refused(scene, soon) is Reason.ISSUER_CHAIN
    between = scene.own.root.authority(not_after=scene.now)
    assert refused(scene, between.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_an_expired_root(scene: Scene) -> None:
    old = Authority.root("old", not_before=EARLY, not_after=scene.now)
    scene.kit = replace(scene.kit, trust_anchors=lambda _use: (old.der,))
    scene.method = scene.open()
    assert refused(scene, old.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_a_chain_that_verified_once_expires_all_the_same(scene: Scene) -> None:
    end = scene.now + timedelta(seconds=10)
    signer = scene.own.root.leaf(BASE_URL, not_after=end)
    assert accepted(scene, signer)
    scene.now = end
    assert refused(scene, signer) is Reason.ISSUER_CHAIN


def test_a149_a_root_taken_away_takes_its_kept_chains_with_it(scene: Scene) -> None:
    roots = [scene.own.root.der]
    scene.kit = replace(scene.kit, trust_anchors=lambda _use: tuple(roots))
    scene.method = scene.open()
    assert accepted(scene, scene.own.signer)
    roots[0] = Authority.root().der
    assert refused(scene, scene.own.signer) is Reason.ISSUER_CHAIN


def test_a149_a_revoked_certificate(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    leaf = sha256(scene.own.signer.chain[0]).hexdigest()
    scene.method = scene.open(refused_certificates=(leaf,))
    assert refused(scene, scene.own.signer) is Reason.ISSUER_CHAIN


def test_a149_a_refused_authority(scene: Scene) -> None:
    between = scene.own.root.authority()
    scene.method = scene.open(refused_certificates=(sha256(between.der).hexdigest(),))
    assert refused(scene, between.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


@pytest.mark.parametrize(
    "use",
    [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.OCSP_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
    ],
)
def test_a149_a_certificate_for_another_use(scene: Scene, use: ObjectIdentifier) -> None:
    # The web server's own certificate, from the same root, names the same host.
    leaf = scene.own.root.leaf(hosts=("localhost",), extended_usage=(use,))
    assert refused(scene, leaf) is Reason.ISSUER_CHAIN


def test_a149_a_key_that_may_not_sign(scene: Scene) -> None:
    leaf = scene.own.root.leaf(BASE_URL, usage=frozenset({"key_agreement"}))
    assert refused(scene, leaf) is Reason.ISSUER_CHAIN
    between = scene.own.root.authority(usage=SIGNING)
    assert refused(scene, between.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_a_leaf_that_issues(scene: Scene) -> None:
    ordinary = scene.own.root.leaf(BASE_URL)
    made = Authority(ordinary.key, ordinary.certificate, ordinary.chain)
    assert refused(scene, made.leaf(BASE_URL, name="below")) is Reason.ISSUER_CHAIN
    silent = scene.own.root.authority(ca=None)
    assert refused(scene, silent.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_an_authority_as_leaf(scene: Scene) -> None:
    leaf = scene.own.root.leaf(BASE_URL, ca=True, usage=SIGNING | {"key_cert_sign"})
    assert refused(scene, leaf) is Reason.ISSUER_CHAIN


def test_a149_a_chain_longer_than_allowed(scene: Scene) -> None:
    flat = scene.own.root.authority("flat", path_length=0)
    assert accepted(scene, flat.leaf(BASE_URL))
    assert refused(scene, flat.authority("deep").leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_a_chain_out_of_order(scene: Scene) -> None:
    signer = scene.own.root.authority("one").authority("two").leaf(BASE_URL)
    leaf, two, one = signer.chain
    for chain in ((leaf, one, two), (two, leaf, one), (leaf, two), (leaf, one)):
        assert refused(scene, Signer(signer.key, chain)) is Reason.ISSUER_CHAIN


@pytest.mark.parametrize("name", ["unknown", "constraints"])
def test_a149_a_rule_that_is_not_understood(scene: Scene, name: str) -> None:
    extensions: dict[str, tuple[x509.ExtensionType, bool]] = {
        "unknown": (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\0"), True),
        "constraints": (x509.NameConstraints([x509.DNSName("other.example")], None), False),
    }
    between = scene.own.root.authority(more=(extensions[name],))
    assert refused(scene, between.leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_weak_keys_and_hashes(scene: Scene) -> None:
    assert refused(scene, scene.own.root.leaf(BASE_URL, key=new_key(ec.SECP384R1()))) is (
        Reason.ISSUER_CHAIN
    )
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the weak key that must be refused
    assert refused(scene, scene.own.root.authority(key=short).leaf(BASE_URL)) is Reason.ISSUER_CHAIN


def test_a149_a_certificate_without_names(scene: Scene) -> None:
    assert refused(scene, scene.own.root.leaf(not_after=LATE)) is Reason.ISSUER_CHAIN


def test_a149_a_hash_that_is_not_of_the_strong_ones(scene: Scene) -> None:
    leaf = scene.own.root.leaf(BASE_URL, hashed=SHA224())
    assert refused(scene, leaf) is Reason.ISSUER_CHAIN


def test_certificates_may_be_silent_about_usage_but_not_about_authority(scene: Scene) -> None:
    assert accepted(scene, scene.own.root.leaf(BASE_URL, ca=None, usage=None))
    assert accepted(scene, scene.own.root.authority(usage=None).leaf(BASE_URL))
    issuing = scene.own.root.leaf(BASE_URL, usage=AUTHORITY)  # an end entity, says its ca: false
    below = Authority(issuing.key, issuing.certificate, issuing.chain)
    assert refused(scene, below.leaf(BASE_URL, name="below")) is Reason.ISSUER_CHAIN


def test_a_use_of_its_own_is_no_foreign_use(scene: Scene) -> None:
    mobile_id_signing = ObjectIdentifier("1.0.18013.5.1.2")
    assert accepted(scene, scene.own.root.leaf(BASE_URL, extended_usage=(mobile_id_signing,)))


def test_a149_an_intermediate_root_in_the_chain(scene: Scene) -> None:
    between = scene.own.root.authority()
    roots = (scene.own.root.der, between.der)
    scene.kit = replace(scene.kit, trust_anchors=lambda _use: roots)
    scene.method = scene.open()
    signer = between.leaf(BASE_URL)
    assert refused(scene, signer) is Reason.ISSUER_CHAIN
    assert accepted(scene, Signer(signer.key, signer.chain[:1]))


def test_a149_a_leaf_with_its_issuers_name(scene: Scene) -> None:
    assert refused(scene, scene.own.root.leaf(BASE_URL, name="Test root")) is Reason.ISSUER_CHAIN


def test_keys_of_other_kinds(scene: Scene) -> None:
    edwards = scene.own.root.authority(key=ed25519.Ed25519PrivateKey.generate())
    assert accepted(scene, edwards.leaf(BASE_URL, hashed=None))
    unknown = scene.own.root.authority(key=ed448.Ed448PrivateKey.generate())
    assert refused(scene, unknown.leaf(BASE_URL, hashed=None)) is Reason.ISSUER_CHAIN
    leaf = scene.own.root.leaf(BASE_URL, key=rsa.generate_private_key(65537, 2048))
    assert refused(scene, leaf, key=new_key()) is Reason.ISSUER_CHAIN
