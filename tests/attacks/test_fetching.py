"""What the provider fetches for a relying party: nothing inside, nothing slow, nothing that is no key."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.attacks.registrar import GOOD, ISSUER, Registrar
from tests.fakes.key_host import KeyHost, body, flood, key_host, timed
from tests.provider import Provider
from tests.servers import Canary, canary

pytestmark = pytest.mark.services
KEY = ECKey.generate_key("P-256", {"kid": "k1"})
PUBLIC = KEY.as_dict(private=False)
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
INSIDE = [
    "https://127.0.0.1:{port}/keys",
    "https://localhost:{port}/keys",
    "https://[::1]:{port}/keys",
    "https://[::ffff:127.0.0.1]:{port}/keys",
    "https://2130706433:{port}/keys",
    "https://0x7f000001:{port}/keys",
    "https://0177.0.0.1:{port}/keys",
    "https://127.1:{port}/keys",
    "http://127.0.0.1:{port}/keys",
    "http://localhost:{port}/keys",
    "https://who@127.0.0.1:{port}/keys",
    "https://127.0.0.1:{port}/keys#x",
    "https://10.0.0.1/keys",
    "https://192.168.0.1/keys",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/latest/meta-data/",
    "https://rp.example.go.kr:22/keys",
    "https://rp.example.go.kr:6379@127.0.0.1:{port}/keys",
    "ftp://127.0.0.1:{port}/keys",
    "gopher://127.0.0.1:{port}/keys",
    "file:///etc/passwd",
    "//127.0.0.1:{port}/keys",
]


@pytest.fixture
def inside() -> Iterator[Canary]:
    """Must stay silent."""
    with canary() as found:
        yield found
        assert found.calls == 0


@pytest.fixture(scope="module")
def host() -> Iterator[KeyHost]:
    with key_host() as found:
        yield found


def port_of(found: Canary) -> str:
    return found.url.rpartition(":")[2].partition("/")[0]


def assertion(client_id: str, issuer: str, key: ECKey = KEY, **header: Any) -> str:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": now, "exp": now + 60}
    whole = {"alg": "ES256", "kid": key.kid, **header}
    return jwt.encode(whole, {**claims, "jti": secrets.token_urlsafe(12)}, key)


def form(signed: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "scope": "gongmu:rp",
        "client_assertion_type": TYPE,
        "client_assertion": signed,
    }


# --- a production provider, whose own machine and network are nobody's business ---------------


@pytest.mark.parametrize("uri", INSIDE)
@pytest.mark.parametrize("name", ["jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"])
def test_a238_nothing_inside_is_called_for_a_registration(
    provider: Registrar, inside: Canary, name: str, uri: str
) -> None:
    """Refused at registration, or later when a name turns out to lead inside; never called."""
    metadata = {**GOOD, name: uri.format(port=port_of(inside))}
    if name == "jwks_uri":
        metadata["token_endpoint_auth_method"] = "private_key_jwt"
    answer = provider.call("POST", token=provider.invite(), json=metadata)
    if answer.status_code == 201 and name == "jwks_uri":
        client_id = answer.json()["client_id"]
        refused(provider.token(**form(assertion(client_id, ISSUER))))
    elif answer.status_code == 201:
        assert "localhost" in uri  # a name is looked at when it is called
    else:
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == "invalid_client_metadata"


def test_a238_addresses_that_nobody_here_reads_are_never_called(
    provider: Registrar, inside: Canary
) -> None:
    names = ("logo_uri", "policy_uri", "tos_uri", "client_uri", "initiate_login_uri")
    mine = provider.registered(
        **dict.fromkeys(names, inside.url),
        request_uris=[inside.url],
        jwks_uri="https://localhost:9443/keys",
    )
    assert not set(names) & mine.told.keys()
    assert "request_uris" not in mine.told


def refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text


# --- a party on loopback, as the demo allows ------------------------------------


def new_party(demo: Provider, **settings: Any) -> str:
    client_id = f"fetch-{secrets.token_hex(6)}"
    program = {
        "grant_types": ["client_credentials"],
        "audience": f"{demo.issuer}/other",
        "scope": ["gongmu:rp"],
        "token_endpoint_auth_methods": ["private_key_jwt"],
        **settings,
    }
    answer = demo.api(
        "POST", "relying-parties", "gongmu:rp", json={"client_id": client_id, "settings": program}
    )
    assert answer.status_code == 201, answer.text
    return client_id


def ask(demo: Provider, client_id: str, key: ECKey = KEY, **header: Any) -> httpx.Response:
    with demo.client() as client:
        data = form(assertion(client_id, demo.issuer, key, **header))
        return client.post("/oauth/token", data=data)


def path() -> str:
    return f"/{secrets.token_hex(6)}"


def test_keys_at_an_address_are_used_and_not_fetched_each_time(
    demo: Provider, host: KeyHost
) -> None:
    where = path()
    client_id = new_party(demo, jwks_uri=host.publish(where, PUBLIC))
    for _ in range(6):
        answer = ask(demo, client_id)
        assert answer.status_code == 200, answer.text
    assert 1 <= host.calls[where] <= 2  # at most once by each worker


def test_a066_a_key_taken_out_of_the_register_is_dead(demo: Provider) -> None:
    other = ECKey.generate_key("P-256", {"kid": "k2"}).as_dict(private=False)
    client_id = new_party(demo, jwks={"keys": [PUBLIC, other]})
    assert ask(demo, client_id).status_code == 200
    without = {"settings": {"jwks": {"keys": [other]}}}
    where = f"relying-parties/{client_id}"
    assert demo.api("PATCH", where, "gongmu:rp", json=without).status_code == 200
    time.sleep(2.1)  # every worker knows by now
    refused(ask(demo, client_id))


SLOW: dict[str, Callable[[KeyHost], Any]] = {
    "silence": lambda host: host.silence,
    "drip": lambda host: host.drip,
}


@pytest.mark.parametrize("name", SLOW)
def test_a067_a_slow_address_costs_its_own_party_three_seconds_and_others_nothing(
    demo: Provider, host: KeyHost, name: str
) -> None:
    where = path()
    slow = new_party(demo, jwks_uri=host.serve(where, SLOW[name](host)))
    quick = new_party(demo, jwks={"keys": [PUBLIC]})
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(timed, lambda: ask(demo, slow)) for _ in range(6)]
        time.sleep(0.3)
        good, seconds = timed(lambda: ask(demo, quick))
        assert (good.status_code, seconds < 2) == (200, True)
        for one in waiting:
            answer, seconds = one.result()
            assert answer.status_code in (401, 503), answer.text  # 503: too many wait already
            assert seconds < 4.5
    calls = host.calls[where]
    again, seconds = timed(lambda: ask(demo, slow))
    refused(again)  # remembered: nobody waits for it again
    assert seconds < 2
    assert host.calls[where] == calls <= 2


def bad_answers(host: KeyHost, elsewhere: str) -> dict[str, Any]:
    secret = {**OctKey.generate_key(256, {"kid": "k1"}).as_dict()}
    private = KEY.as_dict(private=True)
    return {
        "html": body(b"<html>keys</html>", "200 OK", "Content-Type: text/html"),
        "100 MB": flood,
        "redirect": body(b"", "302 Found", f"Location: {elsewhere}"),
        "404": body(json.dumps({"keys": [PUBLIC]}).encode(), "404 Not Found"),
        "empty": body(b""),
        "deep": body(b"[" * 200_000),
        "private": body(json.dumps({"keys": [private]}).encode()),
        "secret": body(json.dumps({"keys": [secret]}).encode()),
        "twice": body(json.dumps({"keys": [PUBLIC, PUBLIC]}).encode()),
        "no http": lambda connection: connection.sendall(b"+OK redis\r\n"),
        "closed": lambda _connection: None,
    }


def test_a067_answers_that_are_no_keys(demo: Provider, host: KeyHost, inside: Canary) -> None:
    for name, answer in bad_answers(host, inside.url).items():
        client_id = new_party(demo, jwks_uri=host.serve(path(), answer))
        told, seconds = timed(lambda client_id=client_id: ask(demo, client_id))  # type: ignore[misc]
        refused(told)
        assert seconds < 3.5, name


def test_a065_made_up_key_ids_fetch_nothing(demo: Provider, host: KeyHost) -> None:
    where = path()
    client_id = new_party(demo, jwks_uri=host.publish(where, PUBLIC))
    assert ask(demo, client_id).status_code == 200
    for kid in ("../../etc/passwd", "' OR 1=1 --", "k1 ", "K1", "", "x" * 500):
        refused(ask(demo, client_id, kid=kid))
    assert host.calls[where] <= 2


def test_a101_a_key_that_comes_with_the_assertion_is_not_looked_at(
    demo: Provider, host: KeyHost, inside: Canary
) -> None:
    client_id = new_party(demo, jwks_uri=host.publish(path(), PUBLIC))
    forged = ECKey.generate_key("P-256", {"kid": "k1"})
    for header in (
        {"jku": inside.url},
        {"x5u": inside.url},
        {"jwk": forged.as_dict(private=False)},
        {"x5c": ["AAAA"]},
    ):
        refused(ask(demo, client_id, forged, **header))


# --- who names a sector is in its document ----------------------------------------------------


def test_a089_a_sector_is_proved_by_its_own_document(demo: Provider, host: KeyHost) -> None:
    uris = ["https://a.example/cb", "https://b.example/cb"]
    signing_in = {
        "grant_types": ["authorization_code"],
        "scope": ["openid"],
        "audience": "",
        "token_endpoint_auth_methods": ["client_secret_basic"],
        "redirect_uris": uris,
    }
    listed = body(json.dumps([*uris, "https://c.example/cb"]).encode())
    client_id = new_party(demo, **signing_in, sector_identifier_uri=host.serve("/sector", listed))
    shown = demo.api("GET", f"relying-parties/{client_id}", "gongmu:rp").json()
    assert shown["sector"] == "127.0.0.1"
    for name, answer in {
        "one is missing": body(json.dumps(uris[:1]).encode()),
        "empty": body(b"[]"),
        "an object": body(json.dumps({"redirect_uris": uris}).encode()),
        "a text": body(json.dumps(" ".join(uris)).encode()),
        "numbers": body(json.dumps([*uris, 7]).encode()),
        "html": body(b"<html>"),
        "404": body(json.dumps(uris).encode(), "404 Not Found"),
        "redirect": body(b"", "302 Found", f"Location: {host.url}/sector"),
        "deep": body(b"[" * 200_000),
    }.items():
        settings = {**signing_in, "sector_identifier_uri": host.serve(path(), answer)}
        told = demo.api(
            "POST",
            "relying-parties",
            "gongmu:rp",
            json={"client_id": f"fetch-{secrets.token_hex(6)}", "settings": settings},
        )
        assert told.status_code == 400, name
        assert told.json()["detail"].startswith("sector_identifier_uri: found "), name
    other = {"settings": {"sector": "other.example"}}  # of a sector that it is not in
    answer = demo.api("PATCH", f"relying-parties/{client_id}", "gongmu:rp", json=other)
    assert answer.status_code == 400
    assert "the host of sector_identifier_uri" in answer.json()["detail"]
