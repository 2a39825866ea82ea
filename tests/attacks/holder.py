"""A wallet taken apart: every part of a presentation lies open until it is built (OpenID4VP 1.0).

It shares no code with the provider: JWS by `forge.py`, the JWE by hand (RFC 7518 §4.6, RFC 7516).
"""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from tests.attacks.forge import b64, compact, decode, es256, jwk_of, unb64
from tests.attacks.issuance import Issuance
from tests.provider import Provider


@dataclass(frozen=True, slots=True)
class Held:
    """A mobile ID as the wallet keeps it."""

    provider: Provider
    number: str
    key: ec.EllipticCurvePrivateKey
    issuer_jwt: str
    disclosures: tuple[str, ...]

    @classmethod
    def receive(cls, provider: Provider, number: str) -> "Held":
        """Taken from the provider's own issuer, so that the trust is real."""
        issuance = Issuance(provider, number)
        answer = issuance.ask(issuance.proof())
        assert answer.status_code == 200, answer.text
        issuer_jwt, *disclosures, _ = answer.json()["credentials"][0]["credential"].split("~")
        return cls(provider, number, issuance.key, issuer_jwt, tuple(disclosures))


@dataclass
class Ask:
    """A request: what the link says, and what is fetched from it."""

    provider: Provider
    link: str
    object: dict[str, Any] = field(default_factory=dict)

    @property
    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.link).query)

    @property
    def client_id(self) -> str:
        return self._query["client_id"][0]

    @property
    def request_uri(self) -> str:
        return self._query["request_uri"][0]

    @property
    def handle(self) -> str:
        return urlsplit(self.request_uri).path.split("/")[2]

    @property
    def response_uri(self) -> str:
        return str(self.object["response_uri"])

    def get(self, method: str = "POST", **form: str) -> httpx.Response:
        """Fetch the request object; kept when it comes."""
        with self.provider.client() as wallet:
            body = {"data": form} if method == "POST" else {}
            answer = wallet.request(method, self.request_uri, **body)
        if answer.status_code == 200:
            self.object = decode(answer.text)[1]
        return answer


@dataclass
class Answer:
    """A presentation before it is put together. Change any field, then `build` or `post`."""

    held: Held
    ask: Ask
    issuer_jwt: str = ""
    disclosures: list[str] = field(default_factory=list)
    kb_header: dict[str, Any] = field(default_factory=dict)
    kb_payload: dict[str, Any] = field(default_factory=dict)
    kb_key: ec.EllipticCurvePrivateKey | None = None
    kb_jwt: str | None = None  # instead of the one made from the parts; "" for none
    state: str = ""
    query_id: str = ""
    jwk: dict[str, str] = field(default_factory=dict)  # of the verifier, to encrypt for
    jwe_header: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        asked = self.ask.object
        self.issuer_jwt = self.held.issuer_jwt
        self.disclosures = list(self.held.disclosures)
        self.kb_header = {"typ": "kb+jwt", "alg": "ES256"}
        self.kb_payload = {
            "iat": int(time.time()),
            "aud": self.ask.client_id,
            "nonce": asked["nonce"],
        }
        self.kb_key = self.held.key
        self.state = asked["state"]
        self.query_id = asked["dcql_query"]["credentials"][0]["id"]
        self.jwk = asked["client_metadata"]["jwks"]["keys"][0]
        self.jwe_header = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": self.jwk["kid"]}

    def keep_only(self, *claims: str) -> None:
        """Disclose these claims and no others."""
        self.disclosures = [
            one for one in self.disclosures if json.loads(unb64(one))[-2:][0] in claims
        ]

    @property
    def sd_hash(self) -> str:
        """Over what is presented (RFC 9901 §4.3.1)."""
        text = "~".join([self.issuer_jwt, *self.disclosures, ""])
        return b64(hashlib.sha256(text.encode()).digest())

    def presentation(self) -> str:
        """The SD-JWT with its key binding."""
        kb_jwt = self.kb_jwt
        if kb_jwt is None:
            assert self.kb_key is not None
            payload = {"sd_hash": self.sd_hash, **self.kb_payload}
            kept = {name: value for name, value in payload.items() if value is not None}
            kb_jwt = compact(json.dumps(self.kb_header), json.dumps(kept), es256(self.kb_key))
        return "~".join([self.issuer_jwt, *self.disclosures, kb_jwt])

    def vp(self) -> dict[str, Any]:
        """What goes into the encryption."""
        return {"vp_token": {self.query_id: [self.presentation()]}, "state": self.state}

    def build(self, plain: bytes | None = None) -> dict[str, str]:
        """The form."""
        content = json.dumps(self.vp()).encode() if plain is None else plain
        return {"response": encrypt(content, self.jwk, self.jwe_header)}

    def post(self, form: dict[str, str] | None = None) -> httpx.Response:
        """Send it as a wallet does."""
        with self.held.provider.client() as wallet:
            return wallet.post(self.ask.response_uri, data=self.build() if form is None else form)


def fetched(held: Held, link: str) -> Answer:
    """A good answer to the request behind a link, not yet sent."""
    ask = Ask(held.provider, link)
    answer = ask.get()
    assert answer.status_code == 200, answer.text
    return Answer(held, ask)


def encrypt(plain: bytes, jwk: dict[str, str], header: dict[str, Any]) -> str:
    """A compact JWE by ECDH-ES in direct key agreement (RFC 7518 §4.6)."""
    x, y = (int.from_bytes(unb64(jwk[name]), "big") for name in "xy")
    theirs = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    mine = ec.generate_private_key(ec.SECP256R1())
    whole = {"epk": jwk_of(mine.public_key()), **header}
    enc = str(whole.get("enc", "A128GCM"))
    bits = {"A128GCM": 128, "A256GCM": 256}.get(enc, 128)
    parts = [_sized(enc.encode())]
    parts += [_sized(unb64(str(whole.get(name, "")))) for name in ("apu", "apv")]
    info = b"".join([*parts, bits.to_bytes(4, "big")])
    secret = mine.exchange(ec.ECDH(), theirs)
    key = ConcatKDFHash(SHA256(), bits // 8, info).derive(secret)
    protected = b64(json.dumps(whole).encode())
    iv = secrets.token_bytes(12)
    sealed = AESGCM(key).encrypt(iv, plain, protected.encode())
    return ".".join([protected, "", b64(iv), b64(sealed[:-16]), b64(sealed[-16:])])


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
