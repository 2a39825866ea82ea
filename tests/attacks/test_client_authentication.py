"""Attacks on how a client proves itself (A-058 to A-067, A-073), over HTTP."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.fetch import Fetcher
from idp.key_sets import FRESH_S, KEPT_S, KeySets
from idp.login import digest
from tests.attacks.keyholders import (
    CERTIFICATE,
    VERDICT,
    Keyholders,
    fresh_id,
    is_refused,
    keyholders,
    refused_as,
)
from tests.attacks.pushing import Keyed
from tests.fakes.dpop import DpopKey
from tests.fakes.jws import DROP, claims_of, encode, public_jwk
from tests.fakes.receiver import SILENCE, Receiver, receiver
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
GRANT = {"grant_type": "client_credentials"}
NAME = "CN=program,O=agency,C=KR"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, sql_url: str) -> Iterator[Keyholders]:
    with keyholders(tmp_path_factory.mktemp("clients"), sql_url) as found:
        yield found


def program(scene: Keyholders, **changed: Any) -> Registered:
    """A client that acts for itself."""
    settings = {
        "redirect_uris": (),
        "post_logout_redirect_uris": (),
        "grant_types": ("client_credentials",),
        "scope": ("gongmu:events",),
        "audience": f"{scene.gongmu.issuer}/api/v1",
        **changed,
    }
    return scene.gongmu.world.register(fresh_id("program"), **settings)


def post(scene: Keyholders, form: dict[str, str], **headers: str) -> httpx.Response:
    with scene.gongmu.client() as backend:
        return backend.post("/oauth/token", data=form, headers=headers)


def is_stranger(scene: Keyholders, answer: httpx.Response, mark: int) -> None:
    """One answer and one event, whatever was wrong (E5)."""
    is_refused(answer, "invalid_client", 401)
    assert answer.json()["error_description"] == "client authentication failed"
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "client_authentication")


# --- secrets, keys, nothing ---------------------------------------------------------------------


def test_a058_a_weaker_method_than_the_registered_one(scene: Keyholders) -> None:
    keyed = Keyed()
    method = ("private_key_jwt",)
    party = program(scene, token_endpoint_auth_methods=method, jwks=keyed.jwks)
    secret = scene.gongmu.world.parts.relying_parties.secrets.add(party.client_id, "t")[1]
    named = {**GRANT, "client_id": party.client_id}
    basic = replace(party, secret=secret).basic
    for form, headers in (
        ({**named, "client_secret": secret}, {}),
        (GRANT, basic),
        (named, basic),
        (named, {}),
    ):
        mark = scene.gongmu.mark()
        is_stranger(scene, post(scene, form, **headers), mark)
    good = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    assert post(scene, good).status_code == 200


def test_a058_basic_or_post_when_the_other_is_registered(scene: Keyholders) -> None:
    party = program(scene, token_endpoint_auth_methods=("client_secret_post",))
    form = {**GRANT, "client_id": party.client_id, "client_secret": party.secret}
    mark = scene.gongmu.mark()
    is_stranger(scene, post(scene, GRANT, **party.basic), mark)
    assert post(scene, form).status_code == 200


def test_a058_a_key_that_is_there_for_something_else(scene: Keyholders) -> None:
    keyed = Keyed()  # it signs requests, and may not stand for the secret
    party = program(scene, jwks=keyed.jwks)
    mark = scene.gongmu.mark()
    form = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    is_stranger(scene, post(scene, form), mark)


def test_a058_a_profile_holds_whatever_is_in_the_register(scene: Keyholders) -> None:
    """D-2: a row that an earlier version or another hand wrote opens no weaker way."""
    confidential = program(scene)
    names = ("none", "client_secret_basic", "private_key_jwt")
    for profile, form, headers in (
        ("oidc", {**GRANT, "client_id": confidential.client_id}, {}),
        ("fapi2", GRANT, confidential.basic),
        ("public", GRANT, confidential.basic),
    ):
        changed: dict[str, Any] = {"profile": profile, "token_endpoint_auth_methods": names}
        scene.pretend(replace(confidential.party, **changed))
        mark = scene.gongmu.mark()
        is_stranger(scene, post(scene, form, **headers), mark)


def test_d2_a_fapi2_client_gets_no_token_that_is_not_bound(scene: Keyholders) -> None:
    """Neither flag is registered: a proof or a certificate is needed all the same."""
    keyed, holder = Keyed(), Holder()
    party = program(scene, token_endpoint_auth_methods=("private_key_jwt",), jwks=keyed.jwks)
    scene.pretend(replace(party.party, profile="fapi2"))
    mark = scene.gongmu.mark()
    form = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    is_refused(post(scene, form), "invalid_dpop_proof")
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "dpop_proof")
    form = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    token = post(scene, form, **shown(holder)).json()["access_token"]
    assert claims_of(token)["cnf"] == {"x5t#S256": holder.thumbprint}


def test_a059_two_methods_at_once(scene: Keyholders) -> None:
    keyed = Keyed()
    methods = ("client_secret_basic", "client_secret_post", "private_key_jwt")
    party = program(scene, token_endpoint_auth_methods=methods, jwks=keyed.jwks)
    posted = {"client_id": party.client_id, "client_secret": party.secret}
    asserted = keyed.assertion(scene.gongmu, party.client_id)
    half = {"client_assertion_type": asserted["client_assertion_type"]}
    for form, headers in (
        (posted, party.basic),
        (asserted, party.basic),
        ({**posted, **asserted}, {}),
        ({**posted, **asserted}, party.basic),
        ({**posted, **half}, {}),  # an assertion that was announced and left out
        (half, party.basic),
    ):
        mark = scene.gongmu.mark()
        is_refused(post(scene, {**GRANT, **form}, **headers), "invalid_request")
        assert refused_as(scene.gongmu, mark)[0] == "token:issue:refused"
    # None of that spent the assertion.
    assert post(scene, {**GRANT, **asserted}).status_code == 200


def test_a060_an_unsigned_assertion_beside_a_good_secret(scene: Keyholders) -> None:
    """Refused as two methods at once, before either is looked at (RFC 6749 §2.3)."""
    keyed = Keyed()
    methods = ("client_secret_basic", "private_key_jwt")
    party = program(scene, token_endpoint_auth_methods=methods, jwks=keyed.jwks)
    asserted = keyed.assertion(scene.gongmu, party.client_id)
    claims = asserted["client_assertion"].split(".")[1]
    head = encode(json.dumps({"alg": "none"}).encode())
    unsigned = {**asserted, "client_assertion": f"{head}.{claims}."}
    is_refused(post(scene, {**GRANT, **unsigned}, **party.basic), "invalid_request")
    is_refused(post(scene, {**GRANT, **unsigned}), "invalid_client", 401)


def test_a061_a062_a064_assertions_for_others_or_at_another_time(scene: Keyholders) -> None:
    now, issuer = int(time.time()), scene.gongmu.issuer
    keyed = Keyed()
    party = program(scene, token_endpoint_auth_methods=("private_key_jwt",), jwks=keyed.jwks)
    for changed in (
        {"aud": f"{issuer}/oauth/token"},  # A-061
        {"aud": f"{issuer}/oauth/par"},
        {"aud": [issuer]},
        {"aud": f"{issuer}/"},
        {"aud": "https://other.example"},
        {"aud": DROP},
        {"exp": now - 1},  # A-062
        {"exp": now + 400},
        {"exp": DROP},
        {"iat": now + 90},
        {"nbf": now + 90},
        {"iss": "mail"},  # A-064
        {"sub": "mail"},
        {"jti": DROP},
    ):
        mark = scene.gongmu.mark()
        form = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id, **changed)}
        is_stranger(scene, post(scene, form), mark)
    named = {**GRANT, "client_id": "mail"}
    mark = scene.gongmu.mark()
    is_stranger(
        scene, post(scene, {**named, **keyed.assertion(scene.gongmu, party.client_id)}), mark
    )
    ahead = keyed.assertion(scene.gongmu, party.client_id, iat=now + 10)
    assert post(scene, {**GRANT, **ahead}).status_code == 200


def test_a065_kids_that_name_nothing(scene: Keyholders) -> None:
    keyed = Keyed()
    party = program(scene, token_endpoint_auth_methods=("private_key_jwt",), jwks=keyed.jwks)
    for kid in ("k2", "../../", "../../../../etc/passwd", "k1' OR '1'='1", "k1\0", "", "K1", "k1 "):
        mark = scene.gongmu.mark()
        other = Keyed(kid, keyed.key)
        form = {**GRANT, **other.assertion(scene.gongmu, party.client_id)}
        is_stranger(scene, post(scene, form), mark)
    parties = scene.gongmu.world.parts.relying_parties
    assert parties.get(party.client_id) == party.party


def test_a063_an_assertion_counts_once(scene: Keyholders) -> None:
    keyed = Keyed()
    party = program(scene, token_endpoint_auth_methods=("private_key_jwt",), jwks=keyed.jwks)
    form = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    assert post(scene, form).status_code == 200
    mark = scene.gongmu.mark()
    is_stranger(scene, post(scene, form), mark)


# --- keys by address ----------------------------------------------------------------------------


@dataclass
class Fetched:
    """A provider that fetches keys for real, with a clock of the test's own for how old they are."""

    at: float = field(default_factory=time.monotonic)

    def install(self, scene: Keyholders) -> None:
        world = scene.gongmu.world
        get = Fetcher(scene.gongmu.issuer).get
        parts = replace(world.parts, key_sets=KeySets(get, 8, lambda: self.at))
        world.app.extensions["gongmu"] = world.parts = parts


@pytest.fixture
def fetched(scene: Keyholders) -> Fetched:
    made = Fetched()
    made.install(scene)
    return made


@pytest.fixture
def keys() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def answer_of(body: bytes, kind: str = "application/json", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def by_address(scene: Keyholders, url: str) -> Registered:
    method = ("private_key_jwt",)
    return program(scene, token_endpoint_auth_methods=method, jwks_uri=url)


def test_a066_a_key_that_its_owner_removed(
    scene: Keyholders, fetched: Fetched, keys: Receiver
) -> None:
    old, new = Keyed("old"), Keyed("new")
    both = json.dumps({"keys": [*old.jwks["keys"], *new.jwks["keys"]]}).encode()
    party = by_address(scene, keys.url)
    keys.answers = [answer_of(both), answer_of(json.dumps(new.jwks).encode())]
    asserted = {**GRANT, **old.assertion(scene.gongmu, party.client_id)}
    assert post(scene, asserted).status_code == 200
    fetched.at += FRESH_S
    mark = scene.gongmu.mark()
    asserted = {**GRANT, **old.assertion(scene.gongmu, party.client_id)}
    is_stranger(scene, post(scene, asserted), mark)
    asserted = {**GRANT, **new.assertion(scene.gongmu, party.client_id)}
    assert post(scene, asserted).status_code == 200
    keys.answers = [answer_of(b"", status="500 Oops")] * 9
    fetched.at += KEPT_S  # it does not answer any more: what was known is over
    mark = scene.gongmu.mark()
    asserted = {**GRANT, **new.assertion(scene.gongmu, party.client_id)}
    is_stranger(scene, post(scene, asserted), mark)


def hostile_answers(canary: str) -> list[tuple[str, bytes]]:
    return [
        ("silence", SILENCE),
        ("huge", answer_of(b'{"keys": [' + b" " * (2 << 20))),
        ("elsewhere", answer_of(b"", status=f"302 Found\r\nLocation: {canary}")),
        ("a page", answer_of(b"<html>keys</html>", "text/html")),
        ("two keys of one kid", answer_of(json.dumps({"keys": Keyed().jwks["keys"] * 2}).encode())),
        ("a private key", answer_of(b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1"}]}')),
        ("deep", answer_of(b"[" * 100_000)),
    ]


def test_a067_hostile_answers_delay_nobody(
    scene: Keyholders, fetched: Fetched, keys: Receiver
) -> None:
    keyed = Keyed()
    with receiver() as canary:
        for name, answer in hostile_answers(canary.url):
            party = by_address(scene, f"{keys.url}?{quote(name)}")
            keys.answers = [answer]
            begun, mark = time.monotonic(), scene.gongmu.mark()
            asserted = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
            is_stranger(scene, post(scene, asserted), mark)
            assert time.monotonic() - begun < 4, name
            asked, begun = len(keys.calls), time.monotonic()
            asserted = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
            is_refused(post(scene, asserted), "invalid_client", 401)
            assert len(keys.calls) == asked, name  # remembered as not answering
            assert time.monotonic() - begun < 1, name
        assert canary.calls == []


# --- certificates -------------------------------------------------------------------------------


@dataclass
class Holder:
    """A client's certificate with its key."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    host: str = "program.agency.example"
    ends: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        name = x509.Name.from_rfc4514_string(NAME)
        assert name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "program"
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + self.ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(self.host)]), critical=False)
            .sign(self.key, SHA256())
        )

    @property
    def pem(self) -> str:
        """As nginx passes it on."""
        return quote(self.certificate.public_bytes(Encoding.PEM))

    @property
    def der(self) -> str:
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @property
    def thumbprint(self) -> str:
        return encode(self.certificate.fingerprint(SHA256()))

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**public_jwk(self.key), "kid": "c1", "x5c": [self.der]}]}


def shown(holder: Holder, verdict: str = "SUCCESS") -> dict[str, str]:
    return {CERTIFICATE: holder.pem, VERDICT: verdict}


def test_a_certificate_by_its_name(scene: Keyholders) -> None:
    """RFC 8705 §2.1: the subject or a host name, in a chain that the proxy has checked."""
    holder = Holder()
    for named in (
        {"tls_client_auth_subject_dn": NAME},
        {"tls_client_auth_san_dns": holder.host},
    ):
        party = program(scene, token_endpoint_auth_methods=("tls_client_auth",), **named)
        form = {**GRANT, "client_id": party.client_id}
        assert post(scene, form, **shown(holder)).status_code == 200
        rfc9440 = {CERTIFICATE: f":{holder.der}:", VERDICT: "SUCCESS"}
        assert post(scene, form, **rfc9440).status_code == 200
        for headers in (
            shown(holder, "FAILED:self-signed certificate"),
            shown(holder, "NONE"),
            {CERTIFICATE: holder.pem},
            {VERDICT: "SUCCESS"},
            shown(Holder(ends=timedelta(days=-1))),
        ):
            mark = scene.gongmu.mark()
            is_stranger(scene, post(scene, form, **headers), mark)
    for other in (
        {"tls_client_auth_subject_dn": "CN=program,O=other,C=KR"},
        {"tls_client_auth_subject_dn": "CN=program"},
        {"tls_client_auth_san_dns": "agency.example"},
    ):
        party = program(scene, token_endpoint_auth_methods=("tls_client_auth",), **other)
        mark = scene.gongmu.mark()
        form = {**GRANT, "client_id": party.client_id}
        is_stranger(scene, post(scene, form, **shown(holder)), mark)


def test_a_certificate_that_was_registered(scene: Keyholders) -> None:
    """RFC 8705 §2.2: that very certificate, whoever signed it."""
    holder = Holder()
    method = ("self_signed_tls_client_auth",)
    party = program(scene, token_endpoint_auth_methods=method, jwks=holder.jwks)
    form = {**GRANT, "client_id": party.client_id}
    assert post(scene, form, **shown(holder, "FAILED:self-signed")).status_code == 200
    for other in (Holder(), Holder(key=holder.key), Holder(ends=timedelta(days=-1))):
        mark = scene.gongmu.mark()
        is_stranger(scene, post(scene, form, **shown(other)), mark)


def test_tokens_bound_to_a_certificate(scene: Keyholders) -> None:
    """RFC 8705 §3, A-072."""
    holder, keyed = Holder(), Keyed()
    party = program(
        scene,
        token_endpoint_auth_methods=("private_key_jwt",),
        jwks=keyed.jwks,
        tls_client_certificate_bound_access_tokens=True,
    )
    mark = scene.gongmu.mark()
    asserted = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    is_refused(post(scene, asserted), "invalid_request")
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "sender_key")
    asserted = {**GRANT, **keyed.assertion(scene.gongmu, party.client_id)}
    answer = post(scene, asserted, **shown(holder)).json()
    assert answer["token_type"] == "Bearer"
    assert claims_of(answer["access_token"])["cnf"] == {"x5t#S256": holder.thumbprint}
    with scene.gongmu.client() as backend:
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        for headers, status in (
            ({}, 401),
            (shown(Holder()), 401),
            ({CERTIFICATE: "junk"}, 401),
            (shown(holder), 200),
        ):
            found = backend.get("/api/v1/events", headers={**bearer, **headers})
            assert found.status_code == status, found.text


@pytest.mark.parametrize(
    "spoilt",
    [
        "junk",
        ":AAAA:",
        "::",
        "%ff%fe",
        "-----BEGIN CERTIFICATE-----",
        "x" * 10_000,
    ],
)
def test_a_certificate_that_cannot_be_read(scene: Keyholders, spoilt: str) -> None:
    method = ("self_signed_tls_client_auth",)
    party = program(scene, token_endpoint_auth_methods=method, jwks=Holder().jwks)
    form = {**GRANT, "client_id": party.client_id}
    is_refused(post(scene, form, **{CERTIFICATE: spoilt}), "invalid_request")


def test_a073_a_forged_header_from_outside(scene: Keyholders) -> None:
    """Another address than the proxy's: its header says nothing, whatever else it claims."""
    holder = Holder()
    named = {"tls_client_auth_subject_dn": NAME}
    party = program(
        scene,
        token_endpoint_auth_methods=("tls_client_auth",),
        tls_client_certificate_bound_access_tokens=True,
        **named,
    )
    form = {**GRANT, "client_id": party.client_id}
    token = post(scene, form, **shown(holder)).json()["access_token"]
    forged = {**shown(holder), "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    outside = httpx.HTTPTransport(local_address="127.0.0.2")
    issuer = scene.gongmu.issuer.replace("localhost", "127.0.0.1")
    with httpx.Client(base_url=issuer, transport=outside) as stranger:
        mark = scene.gongmu.mark()
        is_stranger(scene, stranger.post("/oauth/token", data=form, headers=forged), mark)
        bearer = {"Authorization": f"Bearer {token}", **forged}
        assert stranger.get("/api/v1/events", headers=bearer).status_code == 401
    # Two values, as when a proxy adds its own to what came: neither counts.
    both = [(CERTIFICATE, holder.pem), (CERTIFICATE, holder.pem), (VERDICT, "SUCCESS")]
    with scene.gongmu.client() as through:
        is_refused(through.post("/oauth/token", data=form, headers=both), "invalid_request")


# --- clients without a secret -------------------------------------------------------------------


def test_a_public_client_has_its_code_and_nothing_more(scene: Keyholders) -> None:
    with scene.gongmu.signed_in() as browser:
        token = scene.tokens(browser, None)["access_token"]
        asked = Asked(scene.gongmu.party("app"))
        form = asked.form(scene.code(browser, asked), code_verifier="w" * 43)
    is_refused(scene.ask(None, **form), "invalid_grant")
    mark = scene.gongmu.mark()
    with scene.gongmu.client() as backend:
        answer = backend.post("/oauth/introspect", data={"client_id": "app", "token": token})
        is_refused(answer, "invalid_client", 401)
    assert refused_as(scene.gongmu, mark)[1] == "client_authentication"
    is_refused(scene.ask(None, **GRANT), "unauthorized_client")
    for secret in ("", "x"):
        form = {**GRANT, "client_id": "app", "client_secret": secret}
        assert post(scene, form).json()["error"] in ("invalid_client", "unauthorized_client")
    with scene.gongmu.client() as backend:
        backend.post("/oauth/revoke", data={"client_id": "app", "token": token})
    assert scene.gongmu.userinfo(token).status_code == 401


@pytest.mark.parametrize("name", ["app", "bank"])
def test_a054_a_code_without_a_challenge_opens_nothing(scene: Keyholders, name: str) -> None:
    """D-2: PKCE holds for these profiles at the token endpoint, whatever made the code."""
    short, key = scene.gongmu.world.parts.short, DpopKey()
    asked = Asked(scene.gongmu.party(name))
    with scene.gongmu.signed_in() as browser:
        form = asked.form(scene.code(browser, asked), code_verifier=None)
    place = f"code:{digest(form['code'])}"
    kept = json.loads(short.get(place) or "")
    short.put(place, json.dumps({**kept, "code_challenge": ""}), 60)
    mark = scene.gongmu.mark()
    is_refused(scene.ask(key, name, **form), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "pkce")
