"""The table [methods.fido2]: what may stand there, and what it makes of origins and domains."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from idp.contracts import BrowserMethod, RelatedOrigins
from idp.errors import ConfError
from idp_fido2 import Fido2Settings
from tests.fakes.certificates import Authority
from tests.unit.idp_fido2.scene import ORIGIN, Scene


def open_at(base_url: str, **settings: Any) -> Any:
    scene = Scene()
    scene.kit = replace(scene.kit, base_url=base_url)
    return scene.open(**settings)


def test_it_is_what_the_core_asks_for(scene: Scene) -> None:
    assert isinstance(scene.method, BrowserMethod)
    assert isinstance(scene.method, RelatedOrigins)
    assert scene.method.rp_id == "id.example.go.kr"
    assert scene.method.related_origins() == ()


@pytest.mark.parametrize(
    ("base_url", "rp_id", "origin"),
    [
        ("https://id.example.go.kr", "id.example.go.kr", "https://id.example.go.kr"),
        ("https://id.example.go.kr/idp", "id.example.go.kr", "https://id.example.go.kr"),
        ("https://id.example.go.kr:8443", "id.example.go.kr", "https://id.example.go.kr:8443"),
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
    ],
)
def test_the_issuers_host_and_page_by_default(base_url: str, rp_id: str, origin: str) -> None:
    method = open_at(base_url)
    assert method.rp_id == rp_id
    assert method.policy.origins == (origin,)


def test_a_domain_above_the_issuers_host() -> None:
    origins = ["https://id.example.go.kr", "https://login.example.go.kr:8443"]
    method = open_at(ORIGIN, rp_id="example.go.kr", origins=origins)
    assert method.rp_id == "example.go.kr"
    assert method.policy.origins == tuple(origins)


def test_related_origins_are_published_and_taken() -> None:
    related = "https://sign-in.agency.example"
    scene = Scene(related_origins=[related])
    assert scene.method.related_origins() == (related,)
    scene.enrol()
    assert scene.sign_in(client_data={"origin": related})
    assert scene.sign_in(client_data={"origin": ORIGIN})


@pytest.mark.parametrize(
    "settings",
    [
        {"rp_id": "other.example.go.kr"},
        {"rp_id": "ample.go.kr"},
        {"rp_id": "sub.id.example.go.kr"},
        {"origins": ["https://evil.example"]},
        {"origins": ["https://badid.example.go.kr"]},
    ],
)
def test_domains_and_origins_that_do_not_belong_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfError) as caught:
        open_at(ORIGIN, **settings)
    [problem] = caught.value.problems
    assert problem.key == f"methods.fido2.{next(iter(settings))}"


@pytest.mark.parametrize(
    "origin",
    [
        "http://id.example.go.kr",
        "https://id.example.go.kr/",
        "https://id.example.go.kr/path",
        "https://id.example.go.kr:443",
        "https://id.example.go.kr:",
        "https://ID.example.go.kr",
        "https://a@id.example.go.kr",
        "https://한국.example",
        "https://*.example.go.kr",
        "https://",
        "id.example.go.kr",
        "android:apk-key-hash:x",
        "null",
        "https://id.example.go.kr?x",
        "https://id.example.go.kr#x",
        " https://id.example.go.kr",
        "",
    ],
)
def test_a190_origins_are_written_as_browsers_write_them(origin: str) -> None:
    for name in ("origins", "related_origins"):
        with pytest.raises(ValidationError):
            Fido2Settings.model_validate({name: [origin]})


@pytest.mark.parametrize(
    "settings",
    [
        {"unheard_of": 1},
        {"rp_id": "HOST"},
        {"rp_name": ""},
        {"algorithms": []},
        {"algorithms": ["RS1"]},
        {"algorithms": ["-65535"]},
        {"attestation": "direct"},
        {"attestation": "verified"},
        {"attestation": "requested"},
        {"enterprise_attestation": True},
        {"allowed_models": ["00010203-0405-0607-0809-0a0b0c0d0e0f"]},
        {"refused_models": ["yubikey"]},
        {"refused_models": ["00010203-0405-0607-0809-0A0B0C0D0E0F"]},
        {"counter": "ignore"},
        {"metadata_file": "blob.jwt"},
        {"attestation_roots_folder": "/nowhere"},
        {"metadata_file": "blob.jwt", "metadata_root_file": "/nowhere"},
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Fido2Settings.model_validate(settings)


def test_files_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("no certificate")
    with pytest.raises(ValidationError):
        Fido2Settings.model_validate({"attestation_roots_folder": tmp_path})
    (tmp_path / "root.pem").write_bytes(Authority.root().pem)
    assert Fido2Settings.model_validate({"attestation_roots_folder": tmp_path})
