"""An attacker's certificate authority: chains that look right and are not ours (A-149)."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.attacks.forge import compact, es256


@dataclass(frozen=True, slots=True)
class Authority:
    """A key with its certificate, and who signed that."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def issue(
        self, issuer: str, *, ca: bool = False, ends: timedelta = timedelta(days=30)
    ) -> "Authority":
        """A certificate below this one, for that issuer URL."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(key, _certificate(key, issuer, self, ca=ca, ends=ends))


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    above: Authority | None,
    *,
    ca: bool,
    ends: timedelta,
) -> x509.Certificate:
    country = x509.NameAttribute(NameOID.COUNTRY_NAME, "KR")
    name = x509.Name([country, x509.NameAttribute(NameOID.COMMON_NAME, "Gongmu issuer")])
    now = datetime.now(UTC)
    host = str(urlsplit(issuer).hostname)
    names = [x509.DNSName(host), x509.UniformResourceIdentifier(issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(above.certificate.subject if above else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(above.key if above else key, SHA256())


def root(issuer: str) -> Authority:
    """A root of the attacker's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, _certificate(key, issuer, None, ca=True, ends=timedelta(days=365)))


def x5c(*chain: Authority) -> list[str]:
    """The header parameter: leaf first."""
    return [b64encode(one.certificate.public_bytes(Encoding.DER)).decode() for one in chain]


def signed(payload: dict[str, Any], by: Authority, chain: list[str] | None, **header: Any) -> str:
    """A credential's JWT by that key with that chain."""
    whole = {"typ": "dc+sd-jwt", "alg": "ES256", **({"x5c": chain} if chain is not None else {})}
    return compact(json.dumps({**whole, **header}), json.dumps(payload), es256(by.key))


def foreign(
    header: dict[str, Any], payload: dict[str, Any], issuer: str
) -> Iterator[tuple[str, str]]:
    """A-149: the same claims under chains that must not count; `header` is the genuine one."""
    top = root(issuer)
    leaf = top.issue(issuer)
    middle = top.issue(issuer, ca=True)
    genuine: list[str] = header["x5c"]
    yield "an unknown root", signed(payload, leaf, x5c(leaf))
    yield "an unknown root in the chain", signed(payload, leaf, x5c(leaf, top))
    yield "an unknown middle", signed(payload, leaf, x5c(middle.issue(issuer), middle))
    yield "a self-signed leaf", signed(payload, top, x5c(top))
    yield "the genuine leaf, another key", signed(payload, leaf, genuine)
    yield "the genuine leaf behind ours", signed(payload, leaf, [*x5c(leaf), *genuine])
    yield "no x5c", signed(payload, leaf, None)
    yield "an empty x5c", signed(payload, leaf, [])
    yield "x5c as a text", signed(payload, leaf, None, x5c=genuine[0])
    yield "x5c of junk", signed(payload, leaf, ["AAAA", "!!"])
    yield "our key in jwk", signed(payload, leaf, None, jwk={"kty": "EC"})
    expired = top.issue(issuer, ends=timedelta(days=-1))
    yield "an expired leaf", signed(payload, expired, x5c(expired))
