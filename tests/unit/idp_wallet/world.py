"""An honest issuer and an honest verifier, small; each can be told to spoil one thing."""

import functools
import hashlib
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask, Response, jsonify, redirect, request, send_from_directory
from flask_babel import Babel
from joserfc import jwe, jws
from joserfc.jwk import ECKey
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier
from werkzeug.serving import make_server

from idp.contracts import SiteKit
from idp.paths import ASSETS, TEMPLATES
from idp_wallet import WalletSettings
from idp_wallet.encoding import encode

VCT = "urn:gongmu:credential:mobile-id:1"
PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PERSON = {
    "name": "홍길동",
    "agency": "행정안전부",
    "department": "디지털정부국",
    "rank": "주무관",
    "personnel_number": "20200417",
    "portrait": "data:image/jpeg;base64,/9j/4AAQ",
    "date_of_issuance": "2026-11-24",
    "issuing_authority": "행정안전부장관",
}


def signed(header: dict[str, Any], claims: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """A JWS by hand: a library would refuse to write what a test needs."""
    parts = [encode(json.dumps(part).encode()) for part in (header, claims)]
    der = key.sign(".".join(parts).encode(), ec.ECDSA(hashes.SHA256()))
    raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
    return ".".join((*parts, encode(raw)))


@dataclass
class Party:
    """Someone with a certificate; `chain` is DER, leaf first, the root left out."""

    key: ec.EllipticCurvePrivateKey
    chain: list[bytes]
    root: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def x5c(self) -> list[str]:
        return [b64encode(der).decode() for der in self.chain]

    @property
    def client_id(self) -> str:
        return f"x509_hash:{encode(hashlib.sha256(self.chain[0]).digest())}"

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        protected = {"alg": "ES256", "x5c": self.x5c, **header}
        protected = {name: value for name, value in protected.items() if value is not None}
        return signed(protected, claims, self.key)


def certify(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    days: int = 30,
    dns: str = "localhost",
    signs: bool = True,
    certifies: bool = True,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(days, 0) - 1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=signs, key_cert_sign=ca and certifies, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not ca:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def party(subject: str = "Gongmu test", **leaf: Any) -> Party:
    """A root and a leaf of its own."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certify(f"{subject} root", root_key, None, root_key, ca=True)
    certificate = certify(subject, key, root, root_key, **{"ca": False, **leaf})
    return Party(key, [certificate.public_bytes(Encoding.DER)], root)


def issue(
    issuer: Party, iss: str, holder: dict[str, str], typ: str = "dc+sd-jwt", **more: Any
) -> str:
    """A credential by an independent library: every claim of the card selectively disclosable."""
    lasting = {
        "iss": iss,
        "vct": VCT,
        "exp": int(datetime.now(UTC).timestamp()) + 3600,
        "status": {"status_list": {"idx": 7, "uri": f"{iss}/status/1"}},
    }
    claims: dict[Any, Any] = {name: value for name, value in lasting.items() if name not in more}
    claims |= {SDObj(name): value for name, value in PERSON.items() if name not in more}
    claims |= {name: value for name, value in more.items() if value is not None}
    made = SDJWTIssuer(
        claims,
        JWK.from_pem(issuer.pem),
        holder_key=JWK(**holder),
        sign_alg="ES256",
        extra_header_parameters={"typ": typ, "x5c": issuer.x5c},
        add_decoy_claims=True,
    )
    return str(made.sd_jwt_issuance)


def verified(presentation: str, issuer: Party, aud: str, nonce: str) -> dict[str, Any]:
    """What an independent library reads in a presentation, key binding included."""

    def key_of(_issuer: str, _header: object = None) -> JWK:
        return JWK.from_pem(issuer.pem)

    payload: dict[str, Any] = SDJWTVerifier(
        presentation, key_of, expected_aud=aud, expected_nonce=nonce
    ).get_verified_payload()
    return payload


def decrypted(token: str, key: ECKey) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(jwe.decrypt_compact(token, key).plaintext or b"")
    return plain


DEFAULT_QUERY = {
    "credentials": [
        {
            "id": "mobile_id",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [VCT]},
            "claims": [{"path": ["personnel_number"]}, {"path": ["name"]}],
        }
    ]
}


@dataclass
class World:
    """What both sides know, what they have seen, and what they spoil."""

    base: str = ""
    issuer: Party = field(default_factory=lambda: party("Issuing body"))
    verifier: Party = field(default_factory=lambda: party("Gongmu sign-in"))
    encryption: ECKey = field(
        default_factory=lambda: ECKey.generate_key("P-256", {"use": "enc"}, auto_kid=True)
    )
    tx_code: str | None = "123456"
    nonce: str = "n-0S6_WzA2Mj-aVeryFreshNonce"
    seen: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)  # overrides of the request object
    header: dict[str, Any] = field(default_factory=dict)
    spoil: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    answer: tuple[int, dict[str, Any]] = (200, {})

    def spoiled(self, what: str, value: Any) -> Any:
        return self.spoil.get(what, lambda same: same)(value)

    @property
    def offer_link(self) -> str:
        return f"openid-credential-offer://?credential_offer_uri={self.base}/issuer/offer/1"

    @property
    def present_link(self) -> str:
        client_id = self.verifier.client_id.replace(":", "%3A")
        return (
            f"openid4vp://?client_id={client_id}"
            f"&request_uri={self.base}/vp/1/request&request_uri_method=post"
        )

    def request_claims(self, wallet_nonce: str | None) -> dict[str, Any]:
        public = self.encryption.as_dict(private=False)
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "client_id": self.verifier.client_id,
            "aud": "https://self-issued.me/v2",
            "response_type": "vp_token",
            "response_mode": "direct_post.jwt",
            "response_uri": f"{self.base}/vp/1/response",
            "nonce": self.nonce,
            "state": "state-of-this-login-0123",
            "iat": now,
            "exp": now + 60,
            "dcql_query": DEFAULT_QUERY,
            "client_metadata": {
                "jwks": {"keys": [{**public, "alg": "ECDH-ES"}]},
                "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"],
                "vp_formats_supported": {"dc+sd-jwt": {"kb-jwt_alg_values": ["ES256"]}},
            },
            "wallet_nonce": wallet_nonce,
            **self.request,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def request_object(self, wallet_nonce: str | None) -> str:
        header = {"typ": "oauth-authz-req+jwt", **self.header}
        return self.verifier.sign(self.request_claims(wallet_nonce), **header)


def make_app(world: World) -> Flask:
    app = Flask("world")
    _issuer_documents(app, world)
    _issuer_routes(app, world)
    _verifier_routes(app, world)
    return app


def _answer(world: World, what: str, document: dict[str, Any], status: int = 200) -> Response:
    response = jsonify(world.spoiled(what, document))
    response.status_code = status
    return response


def _issuer_documents(app: Flask, world: World) -> None:
    answer = functools.partial(_answer, world)

    @app.get("/issuer/offer/1")
    def offer() -> Response:
        grant: dict[str, Any] = {"pre-authorized_code": "one-time-code"}
        if world.tx_code is not None:
            grant["tx_code"] = {"input_mode": "numeric", "length": 6}
        return answer(
            "offer",
            {
                "credential_issuer": world.base,
                "credential_configuration_ids": ["mobile-id"],
                "grants": {PRE_AUTHORIZED: grant},
            },
        )

    @app.get("/.well-known/openid-credential-issuer")
    def metadata() -> Response:
        configuration = {
            "format": "dc+sd-jwt",
            "vct": VCT,
            "cryptographic_binding_methods_supported": ["jwk"],
            "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
        }
        return answer(
            "metadata",
            {
                "credential_issuer": world.base,
                "authorization_servers": [f"{world.base}/as"],
                "credential_endpoint": f"{world.base}/issuer/credential",
                "nonce_endpoint": f"{world.base}/issuer/nonce",
                "display": [{"name": "인사혁신처", "locale": "ko-KR"}],
                "credential_configurations_supported": {"mobile-id": configuration},
            },
        )

    @app.get("/.well-known/oauth-authorization-server/as")
    def server() -> Response:
        token = f"{world.base}/issuer/token"
        return answer("server", {"issuer": f"{world.base}/as", "token_endpoint": token})


def _issuer_routes(app: Flask, world: World) -> None:
    answer = functools.partial(_answer, world)

    @app.post("/issuer/token")
    def token() -> Response:
        world.seen["token"] = request.form.to_dict()
        right = request.form.get("tx_code") == world.tx_code
        if request.form["pre-authorized_code"] != "one-time-code" or not right:
            return answer("token_error", {"error": "invalid_grant"}, 400)
        return answer("token", {"access_token": "at-1", "token_type": "Bearer", "expires_in": 60})

    @app.post("/issuer/nonce")
    def nonce() -> Response:
        return answer("nonce", {"c_nonce": "fresh-c-nonce"})

    @app.post("/issuer/credential")
    def credential() -> Response:
        assert request.headers["Authorization"] == "Bearer at-1"
        body = request.get_json()
        holder = check_proof(body["proofs"]["jwt"][0], world.base, "fresh-c-nonce")
        world.seen["holder"] = holder
        assert body["credential_configuration_id"] == "mobile-id"
        text = world.spoiled("credential", issue(world.issuer, world.base, holder))
        return answer("credential_answer", {"credentials": [{"credential": text}]})


def check_proof(proof: str, audience: str, nonce: str) -> dict[str, str]:
    """The holder's public key, if the key proof is right (VCI 1.0 §F.1)."""
    peeked = jws.extract_compact(proof.encode()).protected
    assert peeked["typ"] == "openid4vci-proof+jwt"
    holder: dict[str, str] = peeked["jwk"]
    assert set(holder) == {"kty", "crv", "x", "y"}
    done = jws.deserialize_compact(proof, ECKey.import_key(dict(holder)), algorithms=["ES256"])
    claims = json.loads(done.payload)
    assert claims["aud"] == audience
    assert claims["nonce"] == nonce
    assert "iss" not in claims
    return holder


def _verifier_routes(app: Flask, world: World) -> None:
    @app.route("/vp/1/request", methods=["GET", "POST"])
    def request_object() -> Response:
        nonce = world.spoiled("wallet_nonce", request.form.get("wallet_nonce"))
        text = world.spoiled("request_object", world.request_object(nonce))
        kind = world.spoiled("media_type", "application/oauth-authz-req+jwt")
        return Response(text, content_type=kind)

    @app.post("/vp/1/response")
    def response() -> Any:
        world.seen["response"] = request.form.to_dict()
        status, body = world.answer
        if status == 302:
            return redirect(f"{world.base}/vp/1/elsewhere")
        default = {"redirect_uri": f"{world.base}/vp/1/return?response_code=abc"}
        answer = jsonify(body or default)
        answer.status_code = status
        return answer

    @app.get("/vp/1/return")
    def return_page() -> str:
        return '<p>가</p><output id="return-code"> 482 915 </output><output>7</output>'

    @app.route("/vp/1/elsewhere", methods=["GET", "POST"])
    def elsewhere() -> Response:
        world.seen["elsewhere"] = True
        return jsonify({})


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The base address of an application that runs in a thread."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def korean(folder: Path) -> Path:
    """Our Korean words, compiled, as flask-babel wants them."""
    catalogue = folder / "ko" / "LC_MESSAGES" / "messages.mo"
    catalogue.parent.mkdir(parents=True)
    fragment = TEMPLATES.parent / "plugins/idp_wallet/messages.ko.po"
    with fragment.open("rb") as source, catalogue.open("wb") as target:
        write_mo(target, read_po(source, locale="ko"))
    return folder


def unused(*_arguments: Any) -> Any:
    raise AssertionError("the wallet does not need this")


def make_wallet(
    world: World,
    app: Flask,
    words: Path | None = None,
    settings: WalletSettings | None = None,
) -> Flask:
    """The same application with the web wallet beside, under a policy as strict as the provider's."""
    kit = SiteKit(
        base_url=world.base,
        now=lambda: datetime.now(UTC),
        token=unused,
        sign=unused,
        certificates=unused,
        trust_anchors=lambda use: (
            {"verifier": world.verifier, "issuer": world.issuer}[use].root.public_bytes(
                Encoding.DER
            ),
        ),
        fetch=unused,
        own_status=unused,
        short=unused,
        mobile_ids=unused,
        record=unused,
    )
    if words is not None:
        app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(words)
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["ko", "en"]) or "ko")
    app.template_folder = str(TEMPLATES)
    site = (settings or WalletSettings()).open(kit)
    assert all(rule.startswith(site.prefixes) for rule in ("/wallet", "/wallet/verify"))
    app.register_blueprint(site.blueprint)

    @app.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(ASSETS, name)

    @app.after_request
    def policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        return response

    return app
