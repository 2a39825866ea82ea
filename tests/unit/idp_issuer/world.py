"""One small provider around the issuer: real register on SQL, invented people, a clock, a Flask app."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask, jsonify
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import Engine

from idp import randomness
from idp.contracts import CredentialOffers, Official, SiteKit, State, Use
from idp.cutoff import Cutoff
from idp.errors import OutsideError, RequestError, UnauthorizedError
from idp.journal import Journal
from idp.people import People
from idp_issuer import IssuerSettings
from tests.fakes.short import MemoryShort

ISSUER = "https://id.example.go.kr"
START = datetime(2027, 3, 5, 9, 41, 23, tzinfo=UTC)
GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PHOTO = b"\xff\xd8\xff\xe0" + b"\x00" * 40
HONG = Official(
    source="esaram",
    personnel_number="E100",
    state=State.ACTIVE,
    name="홍길동",
    agency="행정안전부",
    department="디지털정부실",
    rank="행정사무관",
    mail="hong@example.go.kr",
    groups=(),
    photo=PHOTO,
)


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class FakeDirectory:
    """contracts.Directory over a dictionary."""

    def __init__(self, name: str = "esaram") -> None:
        self.name = name
        self.people: dict[str, Official] = {}
        self.away = False

    def add(self, official: Official, **changes: Any) -> Official:
        official = replace(official, **changes)
        self.people[official.personnel_number] = official
        return official

    def find(self, personnel_number: str) -> Official | None:
        if self.away:
            raise OutsideError("directory", "away")
        return self.people.get(personnel_number)

    def search(self, text: str, limit: int) -> list[Official]:
        return [one for one in self.people.values() if text in one.name][:limit]

    def check(self) -> None:
        if self.away:
            raise OutsideError("directory", "away")


class World:
    """Everything a test of the issuer may want to touch."""

    def __init__(self, engine: Engine, **settings: Any) -> None:
        self.engine = engine
        self.clock = Clock()
        self.directory = FakeDirectory()
        self.directory.add(HONG)
        self.journal = Journal(engine, self.clock)
        people = People([self.directory], engine, self.clock)
        self.cutoff = Cutoff(engine, self.journal, people, ISSUER, self.clock)
        self.short = MemoryShort(self.clock)
        self.signing_key = ECKey.generate_key("P-256")
        self.settings, self.kit = IssuerSettings(**settings), self._kit()
        self.site = self.settings.open(self.kit)
        assert isinstance(self.site.service, CredentialOffers)
        self.offers: CredentialOffers = self.site.service
        self.refused: list[RequestError] = []
        self.app = self._app()

    def _kit(self) -> SiteKit:
        return SiteKit(
            base_url=ISSUER,
            now=self.clock,
            token=randomness.token,
            sign=self.sign,
            certificates=lambda _use: (),
            trust_anchors=lambda _use: (),
            fetch=lambda _url, _accept: b"",
            own_status=self.cutoff.own_status,
            short=self.short.namespace("issuer"),
            mobile_ids=self.cutoff,
            record=self.journal.record_alone,
        )

    def sign(self, claims: Any, typ: str, use: Use) -> str:
        assert use is Use.ISSUER
        return jws.serialize_compact(
            {"alg": "ES256", "typ": typ}, json.dumps(claims), self.signing_key
        )

    def _app(self) -> Flask:
        app = Flask("issuer-under-test")
        app.register_blueprint(self.site.blueprint)

        @app.errorhandler(RequestError)
        def refused(error: RequestError) -> Any:
            self.refused.append(error)
            body = {"error": error.code, "error_description": error.public}
            headers = {"Cache-Control": "no-store"}
            if isinstance(error, UnauthorizedError):
                headers["WWW-Authenticate"] = error.scheme
            return jsonify(body), error.status, headers

        @app.errorhandler(OutsideError)
        def outside(error: OutsideError) -> Any:
            return jsonify({"error": error.code}), error.status

        return app

    def client(self) -> FlaskClient:
        return self.app.test_client()


class Wallet:
    """A wallet that really signs; every step can be spoilt."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = world.client()
        self.key = ECKey.generate_key("P-256")
        self.jwk = self.key.as_dict(private=False)

    def read_offer(self, link: str) -> dict[str, Any]:
        (uri,) = parse_qs(urlsplit(link).query)["credential_offer_uri"]
        answer = self.client.get(urlsplit(uri).path)
        assert answer.status_code == 200
        return dict(answer.get_json())

    def redeem(self, offer: Any, **changes: Any) -> Any:
        code = self.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
        form = {
            "grant_type": GRANT,
            "pre-authorized_code": code,
            "tx_code": offer.tx_code,
            **changes,
        }
        form = {name: value for name, value in form.items() if value is not None}
        return self.client.post("/issuer/token", data=form)

    def token(self, offer: Any, **changes: Any) -> str:
        answer = self.redeem(offer, **changes)
        assert answer.status_code == 200, answer.get_json()
        return str(answer.get_json()["access_token"])

    def nonce(self) -> str:
        return str(self.client.post("/issuer/nonce").get_json()["c_nonce"])

    def proof(
        self, nonce: str | None, header: Any = None, claims: Any = None, key: Any = None
    ) -> str:
        head = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": self.jwk, **(header or {})}
        body = {
            "aud": ISSUER,
            "iat": int(self.world.clock().timestamp()),
            "nonce": nonce,
            **(claims or {}),
        }
        return sign_raw(without_none(head), without_none(body), key or self.key)

    def request(self, token: str, proof: str, /, **changes: Any) -> Any:
        body = {
            "credential_configuration_id": "mobile-id",
            "proofs": {"jwt": [proof]},
            **changes,
        }
        return self.post(token, without_none(body))

    def post(self, token: str, body: Any, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.post("/issuer/credential", json=body, headers=headers, **options)

    def receive(self, offer: Any) -> str:
        """The whole way, as it should be."""
        token = self.token(offer)
        answer = self.request(token, self.proof(self.nonce()))
        assert answer.status_code == 200, answer.get_json()
        (one,) = answer.get_json()["credentials"]
        return str(one["credential"])


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign_raw(header: Any, claims: Any, key: ECKey) -> str:
    """A compact JWS over whatever header and claims (or raw bytes of them), always by ES256."""
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)
    ]
    signing_input = ".".join(map(b64, parts))
    return f"{signing_input}.{b64(es256(signing_input.encode(), key))}"


def es256(message: bytes, key: ECKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    private = key.private_key
    assert private is not None
    r, s = decode_dss_signature(private.sign(message, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def payload(jwt: str) -> dict[str, Any]:
    return dict(json.loads(unb64(jwt.split(".")[1])))


def head(jwt: str) -> dict[str, Any]:
    return dict(json.loads(unb64(jwt.split(".", maxsplit=1)[0])))


Work = Callable[[int], Any]


def in_parallel(work: Work, times: int) -> list[Any]:
    """The results of `work(0..times-1)`, started together."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    barrier = threading.Barrier(min(times, 16))

    def run(number: int) -> Any:
        if number < barrier.parties:
            barrier.wait()
        return work(number)

    with ThreadPoolExecutor(barrier.parties) as pool:
        return list(pool.map(run, range(times)))
