"""Self-registration (RFC 7591, RFC 7592): what a party may say of itself, and nothing more."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from idp.oidc.client_metadata import FORBIDDEN
from tests.attacks.forge import compact, hs256
from tests.attacks.registrar import GOOD, ISSUER, SIGNER, Own, Registrar, statement
from tests.provider import Provider
from tests.servers import canary

pytestmark = pytest.mark.services
URI = GOOD["redirect_uris"][0]


@pytest.fixture(scope="module")
def invitation(provider: Registrar) -> str:
    """For attempts that are all refused, and so spend nothing."""
    return provider.invite()


@pytest.fixture(scope="module")
def own(provider: Registrar) -> Own:
    return provider.registered()


def refused(answer: httpx.Response, code: str = "invalid_client_metadata") -> dict[str, Any]:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "no-store" in answer.headers["cache-control"]
    body: dict[str, Any] = answer.json()
    assert body["error"] == code, body
    assert set(body) <= {"error", "error_description"}
    assert not set('"\\') & set(body.get("error_description", ""))
    return body


def unauthorized(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token"), answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")


def attempt(provider: Registrar, invitation: str, **metadata: Any) -> httpx.Response:
    return provider.call("POST", token=invitation, json={**GOOD, **metadata})


# --- the good way -----------------------------------------------------------------------------------


def test_off_unless_it_is_switched_on(demo: Provider) -> None:
    assert "registration_endpoint" not in demo.discovery()
    with demo.client() as client:
        for method, path in (("POST", ""), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x")):
            answer = client.request(method, f"/oauth/register{path}", json=GOOD)
            assert answer.status_code == 404, answer.text


def test_a_party_registers_and_keeps_its_record(provider: Registrar) -> None:
    document = provider.client.get("/.well-known/openid-configuration").json()
    assert document["registration_endpoint"] == f"{ISSUER}/oauth/register"
    mine = provider.registered(**{"client_name#ko": "게시판", "logo_uri": "https://x.example/logo"})
    assert mine.told["registration_client_uri"] == f"{ISSUER}/oauth/register/{mine.client_id}"
    assert mine.told["client_secret_expires_at"] == 0
    assert abs(mine.told["client_id_issued_at"] - time.time()) < 60
    assert mine.told["redirect_uris"] == [URI]
    assert "logo_uri" not in mine.told  # what is not known is passed over, and never fetched
    answer = provider.token(
        grant_type="client_credentials",
        client_id=mine.client_id,
        client_secret=mine.told["client_secret"],
    )
    assert answer.json()["error"] == "invalid_client"  # it is registered for basic alone
    read = mine.call("GET")
    assert read.status_code == 200
    assert (read.json()["client_name#ko"], read.json()["client_name"]) == ("게시판", "Board")
    changed = mine.put(redirect_uris=["https://board.example.go.kr/second"], contacts=["a@b.kr"])
    assert changed.status_code == 200, changed.text
    assert changed.json()["redirect_uris"] == ["https://board.example.go.kr/second"]
    fresh = changed.json()["registration_access_token"]
    unauthorized(mine.call("GET"))  # the former token died with the change
    again = mine.put(fresh).json()  # what is left out goes back to its default
    assert "contacts" not in again
    assert mine.call("DELETE", again["registration_access_token"]).status_code == 204
    unauthorized(mine.call("GET", again["registration_access_token"]))
    assert mine.client_id in provider.parties()  # its id is never given again


def test_no_secret_is_shown_twice_or_written_down(provider: Registrar) -> None:
    mine = provider.registered()
    secrets = (mine.told["client_secret"], mine.access_token)
    changed = mine.put().json()
    later = (mine.call("GET", changed["registration_access_token"]).text, json.dumps(changed))
    events = json.dumps(provider.events(50))
    for secret in secrets:
        assert secret not in later[0] + later[1] + events
    assert changed["registration_access_token"] not in later[0] + events
    assert "registration_access_token" not in later[0]
    assert "client_secret" not in json.loads(later[0])


def test_an_installed_application_gets_no_secret(provider: Registrar) -> None:
    mine = provider.registered(
        token_endpoint_auth_method="none",
        application_type="native",
        redirect_uris=["kr.go.example.app:/cb", "http://127.0.0.1/cb", "https://app.example/cb"],
    )
    assert "client_secret" not in mine.told
    for uri in ("myapp:/cb", "http://127.0.0.1:7000/cb", "http://localhost/cb"):
        body = mine.put(redirect_uris=[uri], token_endpoint_auth_method="none")
        refused(body, "invalid_redirect_uri")


# --- who may -----------------------------------------------------------------------------------------


def test_nobody_registers_without_an_invitation(provider: Registrar, own: Own) -> None:
    before = provider.parties()
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Bearer {'x' * 5000}"},
        {"Authorization": f"Bearer {own.access_token}"},  # it is for its own record
        {"Authorization": f"Basic {provider.invite()}"},
    ):
        unauthorized(provider.call("POST", json=GOOD, headers=headers))
    unauthorized(provider.call("POST", token=provider.invite(expired=True), json=GOOD))
    token = provider.invite()  # never in the address, where logs would keep it
    unauthorized(provider.call("POST", f"?access_token={token}", json=GOOD))
    assert provider.parties() == before


def test_an_invitation_for_one_is_used_once_by_however_many(provider: Registrar) -> None:
    token = provider.invite(uses=1)
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(attempt, provider, token) for _ in range(24)]
        codes = [call.result().status_code for call in calls]
    assert sorted(set(codes)) == [201, 401]
    assert codes.count(201) == 1


def test_of_many_changes_with_one_token_one_is_made(provider: Registrar) -> None:
    mine = provider.registered()
    with ThreadPoolExecutor(12) as pool:
        codes = [one.result().status_code for one in [pool.submit(mine.put) for _ in range(24)]]
    assert codes.count(200) == 1
    assert codes.count(401) == 23


def test_a236_a_token_opens_its_own_record_alone(provider: Registrar, own: Own) -> None:
    other = provider.registered()
    before = other.call("GET").json()
    for token in (own.access_token, "", "x", other.access_token + "x", own.told["client_secret"]):
        unauthorized(other.call("GET", token))
        unauthorized(other.put(token))
        unauthorized(other.call("DELETE", token))
    for client_id in ("nobody", "' OR 1=1 --", "x" * 500):
        answer = provider.call("GET", f"/{client_id}", own.access_token)
        unauthorized(answer)
    assert other.call("GET").json() == before


def test_a236_a_disabled_party_does_not_let_itself_in_again(provider: Registrar) -> None:
    mine = provider.registered()
    provider.set_disabled(mine.client_id, True)
    for attempt_ in (mine.put(), mine.call("GET"), mine.call("DELETE"), mine.put(disabled=False)):
        unauthorized(attempt_)
    provider.set_disabled(mine.client_id, False)
    assert mine.call("GET").status_code == 200
    gone = provider.registered()
    assert gone.call("DELETE").status_code == 204
    provider.set_disabled(gone.client_id, False)  # an administrator may; its token stays dead
    unauthorized(gone.call("GET"))


# --- what may be said ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a235_what_an_administrator_decides_is_refused(
    provider: Registrar, invitation: str, name: str
) -> None:
    before = provider.parties()
    told = refused(attempt(provider, invitation, **{name: True}))
    assert told["error_description"] == f"{name} is set by an administrator"
    [event] = provider.events(1)
    assert event["kind"] == "relying_party:registration:refused"
    assert event["reason"] == "registration"
    assert provider.parties() == before


@pytest.mark.parametrize(
    "metadata",
    [
        {"scope": "openid gongmu:rp"},
        {"scope": "gongmu:people gongmu:events"},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["authorization_code", "client_credentials"]},
        {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
        {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]},
        {"grant_types": ["password"]},
        {"grant_types": ["implicit"], "response_types": ["code"]},
        {"response_types": ["token"]},
        {"response_types": ["code", "id_token"]},
        {"client_id": "mail"},
        {"client_secret": "chosen"},
        {"registration_access_token": "chosen"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {  # no proxy passes certificates on
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "rp.example.go.kr",
        },
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},  # without keys
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"client_name": ""},
        {"client_name": "x" * 81},
        {"client_name": "a\u0000b"},
        {"client_name": "a\u202eb"},
        {"client_name": ["x"]},
        {"application_type": "other"},
        {"default_max_age": "1"},
        {"default_max_age": True},
        {"default_max_age": -1},
        {"require_signed_request_object": "true"},
        {"contacts": "a@b.kr"},
        {"contacts": ["<script>"]},
        {"jwks": []},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [OctKey.generate_key(256, {"kid": "o"}).as_dict()]}},
        {"jwks": {"keys": [ECKey.generate_key("P-256", {"kid": "p"}).as_dict(private=True)]}},
        {"scope": ["openid"]},
        {"scope": ""},
        {"sector_identifier_uri": 7},
    ],
)
def test_a235_metadata_refused(
    provider: Registrar, invitation: str, metadata: dict[str, Any]
) -> None:
    before = provider.parties()
    refused(attempt(provider, invitation, **metadata))
    assert provider.parties() == before


@pytest.mark.parametrize(
    "uri",
    [
        "http://board.example.go.kr/cb",
        "http://localhost/cb",
        "http://127.0.0.1:9/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "kr.go.example.app:/cb",
        "//board.example.go.kr/cb",
        "/cb",
        "https://*.example.go.kr/cb",
        "https://rp@board.example.go.kr/cb",
        "https://board.example.go.kr\\@evil.example/cb",
        "https://board.example.go.kr/cb#f",
        "https://board.example.go.kr/a/../cb",
        "https://2130706433/cb",
        "https://게시판.example/cb",
        "",
    ],
)
def test_a003_redirect_uris_refused(provider: Registrar, invitation: str, uri: str) -> None:
    answer = attempt(provider, invitation, redirect_uris=[uri])
    refused(answer, "invalid_redirect_uri")
    refused(attempt(provider, invitation, post_logout_redirect_uris=[uri]))


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "response", "%63ode"])
def test_a005_an_answer_within_a_redirect_uri_is_refused(
    provider: Registrar, invitation: str, name: str
) -> None:
    for uri in (f"{URI}?{name}=1", f"{URI}?a=1&{name}", f"{URI}#{name}=1"):
        refused(attempt(provider, invitation, redirect_uris=[uri]), "invalid_redirect_uri")


def test_a089_no_sub_that_is_not_pairwise(provider: Registrar, invitation: str) -> None:
    refused(attempt(provider, invitation, subject_type="public"))
    two = ["https://a.example/cb", "https://b.example/cb"]
    told = refused(attempt(provider, invitation, redirect_uris=two))
    assert "sector" in told["error_description"]
    refused(attempt(provider, invitation, redirect_uris=two, sector="a.example"))


def test_a237_a_change_is_held_to_every_rule(provider: Registrar) -> None:
    mine = provider.registered()
    for changes in (
        {"redirect_uris": ["http://evil.example/"]},
        {"redirect_uris": []},
        {"redirect_uris": None},
    ):
        refused(mine.put(**changes), "invalid_redirect_uri")
    for changes in (
        {"client_id": "mail"},
        {"client_id": None},
        {"client_name": None},
        {"scope": "openid gongmu:rp"},
        {"grant_types": ["client_credentials"]},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "none"},
        {"client_secret": "x"},
        {"registration_access_token": mine.access_token},
        {"client_secret_expires_at": 0},
        {"trusted": True},
        {"disabled": False},
        {"minimum_acr": "urn:gongmu:acr:1"},
        {"consent": "trusted"},
        {"backchannel_logout_uri": "http://evil.example/"},
        {"subject_type": "public"},
    ):
        refused(mine.put(**changes))
    told = {**mine.told}
    for name in ("registration_access_token", "client_secret", "client_id_issued_at"):
        told.pop(name)
    told.pop("client_secret_expires_at")
    assert mine.call("GET").json() == told
    assert mine.put(client_secret=mine.told["client_secret"]).status_code == 200


# --- software statements ---------------------------------------------------------------------------


def test_what_a_statement_says_comes_first(provider: Registrar) -> None:
    signed = statement(software_id="board", client_name="Signed", redirect_uris=[URI])
    mine = provider.registered(
        software_statement=signed, client_name="Other", redirect_uris=["https://evil.example/"]
    )
    assert (mine.told["client_name"], mine.told["redirect_uris"]) == ("Signed", [URI])
    assert (mine.told["software_id"], mine.told["software_statement"]) == ("board", signed)


def test_statements_that_nobody_signed_who_may(provider: Registrar, invitation: str) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "signer"})
    public = SIGNER.as_pem(private=False)
    forged = compact('{"alg": "HS256", "kid": "signer"}', '{"iss": "x"}', hs256(public))
    head, _, _ = statement().rpartition(".")
    none = f"eyJhbGciOiJub25lIn0.{statement().split('.')[1]}."
    with canary() as inside:
        header = {"alg": "ES256", "kid": "signer", "jku": inside.url, "x5u": inside.url}
        far = jwt.encode(header, {"iss": "x"}, stranger)
        for bad in (
            statement(stranger),
            statement(exp=int(time.time()) - 1),
            statement(iss=7),
            forged,
            none,
            f"{head}.",
            far,
            "x",
            "",
            7,
            {},
        ):
            answer = attempt(provider, invitation, software_statement=bad)
            refused(answer, "invalid_software_statement")
        assert inside.calls == 0


def test_a235_a_statement_gives_no_more_than_its_bearer_may_have(
    provider: Registrar, invitation: str
) -> None:
    for claims in (
        {"trusted": True},
        {"minimum_acr": "urn:gongmu:acr:1"},
        {"scope": "openid gongmu:rp"},
        {"grant_types": ["client_credentials"]},
        {"redirect_uris": ["http://evil.example/"]},
    ):
        answer = attempt(provider, invitation, software_statement=statement(**claims))
        assert answer.status_code == 400, answer.text


# --- size and form ---------------------------------------------------------------------------------


def test_a110_long_lists_cost_nothing(provider: Registrar, invitation: str) -> None:
    for metadata in (
        {"scope": " ".join(f"s{number}" for number in range(9000))},
        {"redirect_uris": [f"https://a.example/{number}" for number in range(1000)]},
        {"contacts": [f"a{number}@b.kr" for number in range(3000)]},
        {"grant_types": [f"g{number}" for number in range(5000)]},
        {"redirect_uris": ["https://a.example/" + "a" * 60_000]},
        {"client_name": "a" * 60_000},
        {str(number << 61): number for number in range(1500)},
        {"jwks": {"keys": [{"kid": str(number), "kty": "EC"} for number in range(1500)]}},
    ):
        token = provider.invite()
        begun = time.monotonic()
        answer = attempt(provider, token, **metadata)
        assert answer.status_code in (400, 201), answer.text  # unknown names are passed over
        assert time.monotonic() - begun < 1
    answer = attempt(provider, invitation, client_name="a" * 70_000)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"client_name": "a", "client_name": "b"}',
        b'{"client_name": NaN}',
        b'{"client_name": "\\ud800"}',
        b'{"a":' * 5000,
        b'{"jwks":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_bodies_that_are_no_object(provider: Registrar, own: Own, content: bytes) -> None:
    token = provider.invite()
    headers = {"Content-Type": "application/json"}
    refused(provider.call("POST", token=token, content=content, headers=headers))
    refused(own.call("PUT", content=content, headers=headers))


def test_a_form_or_a_text_is_no_registration(provider: Registrar, invitation: str) -> None:
    refused(provider.call("POST", token=invitation, data={"client_name": "x"}))
    headers = {"Content-Type": "text/plain"}
    content = json.dumps(GOOD).encode()
    refused(provider.call("POST", token=invitation, content=content, headers=headers))
    for method in ("GET", "PATCH", "DELETE"):
        assert provider.call(method, token=invitation).status_code == 405


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    [
        *("redirect_uris", "client_name", "client_name#ko", "grant_types", "response_types"),
        *("jwks", "jwks_uri", "scope", "contacts", "sector_identifier_uri", "default_max_age"),
        *("token_endpoint_auth_method", "backchannel_logout_uri", "software_statement", "x"),
    ]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_whatever_is_sent_is_a_named_error_or_registered(
    provider: Registrar, invitation: str, metadata: dict[str, Any]
) -> None:
    content = json.dumps({**GOOD, **metadata, "subject_type": "public"}).encode()
    headers = {"Content-Type": "application/json"}
    answer = provider.call("POST", token=invitation, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(("invalid_", "unapproved_"))
