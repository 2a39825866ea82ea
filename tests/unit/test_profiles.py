"""Profiles and the richer settings: what contradicts them is told with its key, what stands there, what may."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from idp.addresses import (
    address_fault,
    app_address_fault,
    fetched_fault,
    host_of,
    is_host,
    origin_fault,
)
from idp.profiles import profile_faults
from idp.registration import problems_of
from idp.relying_parties import RelyingParty, _settings
from idp.subjects import pairwise, sector_of

EC = ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=False)
WEB = RelyingParty("web", "웹", "Web", redirect_uris=("https://web.example/cb",))
FAPI = replace(
    WEB,
    profile="fapi2",
    token_endpoint_auth_methods=("private_key_jwt",),
    jwks={"keys": [EC]},
    dpop_bound_access_tokens=True,
)
APP = replace(
    WEB,
    profile="public",
    token_endpoint_auth_methods=("none",),
    redirect_uris=("kr.go.example.app:/cb",),
)


def faults(party: RelyingParty, *, loopback: bool = False) -> set[str]:
    found = problems_of(_settings(party), loopback=loopback)
    assert all(key and allowed for key, _, allowed in found)
    return {key for key, _, _ in found}


def test_each_profile_has_settings_that_fit_it() -> None:
    assert faults(WEB) == set()
    assert faults(FAPI) == set()
    assert [*profile_faults(asdict(APP))] == []


@pytest.mark.parametrize(
    ("party", "changed", "key"),
    [
        (
            FAPI,
            {"token_endpoint_auth_methods": ("client_secret_basic",)},
            "token_endpoint_auth_methods",
        ),
        (
            FAPI,
            {"token_endpoint_auth_methods": ("private_key_jwt", "client_secret_post")},
            "token_endpoint_auth_methods",
        ),
        (FAPI, {"dpop_bound_access_tokens": False}, "dpop_bound_access_tokens"),
        (FAPI, {"id_token_signed_response_alg": "RS256"}, "id_token_signed_response_alg"),
        (FAPI, {"userinfo_signed_response_alg": "RS256"}, "userinfo_signed_response_alg"),
        (FAPI, {"pkce_required": False}, "pkce_required"),
        (FAPI, {"jwks": None}, "jwks"),
        (
            APP,
            {"token_endpoint_auth_methods": ("client_secret_basic",)},
            "token_endpoint_auth_methods",
        ),
        (APP, {"grant_types": ("authorization_code", "client_credentials")}, "grant_types"),
        (APP, {"pkce_required": False}, "pkce_required"),
        (WEB, {"token_endpoint_auth_methods": ("none",)}, "token_endpoint_auth_methods"),
        (WEB, {"jwks": {"keys": [EC]}, "jwks_uri": "https://web.example/keys"}, "jwks_uri"),
        (WEB, {"jwks_uri": "http://web.example/keys"}, "jwks_uri"),
        (WEB, {"jwks_uri": "https://web.example:22/keys"}, "jwks_uri"),
        (WEB, {"sector_identifier_uri": "https://s.example/uris"}, "sector"),
        (
            WEB,
            {"sector_identifier_uri": "https://s.example/uris", "sector": "web.example"},
            "sector",
        ),
        (WEB, {"origins": ("https://web.example/",)}, "origins"),
        (WEB, {"origins": ("null",)}, "origins"),
        (WEB, {"resources": ("web",)}, "resources"),
        (WEB, {"frontchannel_logout_uri": "https://other.example/out"}, "frontchannel_logout_uri"),
        (
            WEB,
            {"frontchannel_logout_uri": "https://web.example:8443/out"},
            "frontchannel_logout_uri",
        ),
        (WEB, {"id_token_encrypted_response_alg": "RSA1_5"}, "id_token_encrypted_response_alg"),
        (WEB, {"id_token_encrypted_response_alg": "ECDH-ES"}, "jwks"),
        (WEB, {"userinfo_encrypted_response_enc": "A128GCM"}, "userinfo_encrypted_response_enc"),
        (WEB, {"userinfo_encrypted_response_enc": "none"}, "userinfo_encrypted_response_enc"),
        (WEB, {"tls_client_auth_subject_dn": "CN=web"}, "tls_client_auth_subject_dn"),
        (WEB, {"tls_client_auth_san_dns": "*.example"}, "tls_client_auth_san_dns"),
        (WEB, {"default_max_age": -1}, "default_max_age"),
        (WEB, {"contacts": ("not an address",)}, "contacts"),
        (WEB, {"software_id": "x" * 129}, "software_id"),
        (WEB, {"introspection_signed_response_alg": "none"}, "introspection_signed_response_alg"),
        (
            WEB,
            {
                "dpop_bound_access_tokens": True,
                "tls_client_certificate_bound_access_tokens": True,
            },
            "tls_client_certificate_bound_access_tokens",
        ),
    ],
)
def test_contradictions(party: RelyingParty, changed: dict[str, Any], key: str) -> None:
    assert key in faults(replace(party, **changed))


def test_a_client_certificate_is_named_by_one_thing() -> None:
    by_dn = replace(
        WEB, token_endpoint_auth_methods=("tls_client_auth",), tls_client_auth_subject_dn="CN=w"
    )
    key = "tls_client_auth_subject_dn"
    assert key not in faults(by_dn)
    assert key in faults(replace(by_dn, tls_client_auth_subject_dn=""))
    assert key in faults(replace(by_dn, tls_client_auth_san_dns="web.example"))
    assert key in faults(replace(by_dn, tls_client_auth_subject_dn="web"))


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/cb",
        "http://127.0.0.1/cb",
        "http://[::1]/cb",
        "kr.go.example.app:/cb",
        "com.example-x.app2:/oauth/cb?x=1",
    ],
)
def test_redirects_of_installed_applications(address: str) -> None:
    assert app_address_fault(address, loopback=False) == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8123/cb",
        "http://localhost/cb",
        "http://app.example/cb",
        "http://127.0.0.2/cb",
        "myapp:/cb",
        "javascript:/alert(1)",
        "data:/text/html,x",
        "file:///etc/passwd",
        "kr.go.app://host/cb",
        "kr.go.app:///cb",
        "kr.go.app:cb",
        "KR.go.app:/cb",
        "kr.go.app:/cb#f",
        "kr.go.app:/a/../cb",
        "kr.go.app:/cb?code=1",
        "kr.go.app:/cb?state",
        ".app:/cb",
        "kr..app:/cb",
    ],
)
def test_a003_redirects_that_no_application_of_its_own_has(address: str) -> None:
    assert app_address_fault(address, loopback=False)


@pytest.mark.parametrize("scheme", ["kr.go.example.app:/cb", "http://127.0.0.1/cb"])
def test_a003_what_installed_applications_may_is_not_for_web_applications(scheme: str) -> None:
    assert faults(replace(WEB, redirect_uris=(scheme,))) >= {"redirect_uris"}


def test_origins() -> None:
    for good in ("https://app.example", "https://app.example:8443"):
        assert origin_fault(good, loopback=False) == ""
    for bad in (
        "https://app.example:443",
        "https://app.example/",
        "https://app.example/x",
        "https://app.example?x",
        "https://*.example",
        "http://app.example",
        "http://localhost:3000",
        "*",
        "null",
    ):
        assert origin_fault(bad, loopback=False), bad
    assert origin_fault("http://localhost:3000", loopback=True) == ""


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "10.0.0.0x1", "1.2.3.4.5", "a..b", "x.1"],
)
def test_a238_an_address_in_disguise_is_no_host(host: str) -> None:
    assert not is_host(host)
    assert address_fault(f"https://{host}/", loopback=False)


def test_a238_ports_of_other_services_are_not_fetched_from() -> None:
    for port in (22, 25, 80, 389, 1023):
        assert fetched_fault(f"https://rp.example:{port}/jwks", loopback=False)
    for port in (443, 1024, 8443):
        assert fetched_fault(f"https://rp.example:{port}/jwks", loopback=False) == ""


def test_installed_applications_share_no_sub() -> None:
    """They all have 127.0.0.1 and a scheme without a host: that is no sector."""
    for uri in ("http://127.0.0.1/cb", "kr.go.example.app:/cb", "http://[::1]/cb"):
        mine, other = (replace(APP, client_id=name, redirect_uris=(uri,)) for name in "ab")
        assert sector_of(mine) == "client:a"
        assert pairwise(b"k" * 32, mine, "p") != pairwise(b"k" * 32, other, "p")
    both = ("https://app.example/cb", "kr.go.example.app:/cb", "http://127.0.0.1/cb")
    mixed = replace(APP, redirect_uris=both)  # the host may be a stranger's
    assert sector_of(mixed) == f"client:{APP.client_id}"
    assert sector_of(replace(mixed, sector="app.example")) == "app.example"
    assert "sector" not in faults(replace(APP, redirect_uris=both))


# --- whatever the address -------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *("https://", "http://", "kr.go.app:/", "javascript:", "//", "/", "\\", "@", ":", "#", "?"),
        *("a.example", "localhost", "127.0.0.1", "[::1]", "2130706433", "%2e", "..", "&", "=", "*"),
        *("code", "state", "iss", ";", "%00", "\n", "\t", " ", "é", "\u202e", "\ud800", "443", "0"),
    ]
)


@given(st.lists(_PIECES, max_size=9).map("".join) | st.text(max_size=60))
def test_what_passes_is_read_alike_by_all(address: str) -> None:
    """Never an error; what may be registered has one host, no fragment, nothing to be misread."""
    if address_fault(address, loopback=False) == "":
        assert address.startswith("https://")
        assert is_host(host_of(address))
        netloc = address.removeprefix("https://").partition("/")[0].partition("?")[0]
        assert netloc.partition(":")[0] == host_of(address)
        assert not set("#@\\*<>\"'\n\t ") & set(netloc)
        assert "#" not in address
        assert address.isascii()
    if app_address_fault(address, loopback=False) == "":
        assert not address.startswith(("javascript:", "data:", "//"))
        assert "#" not in address
    origin_fault(address, loopback=True)
    fetched_fault(address, loopback=True)
