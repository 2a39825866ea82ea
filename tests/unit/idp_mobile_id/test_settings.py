"""The table `[methods.mobile_id]`: every mistake is found when the file is read."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from idp.events import Reason
from idp_mobile_id import MobileIdSettings
from tests.fakes.certificates import Authority
from tests.unit.idp_mobile_id.scene import FOREIGN, Scene


@pytest.fixture
def anchor_file(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(Authority.root().pem)
    return path


def test_the_defaults_are_haip() -> None:
    settings = MobileIdSettings()
    assert settings.response_mode == "direct_post.jwt"
    assert settings.client_id_prefix == "x509_hash"
    assert settings.require_status
    assert settings.trust_own_issuer


@pytest.mark.parametrize(
    "table",
    [
        {"unknown": 1},
        {"response_mode": "query"},
        {"client_id_prefix": "redirect_uri"},
        {"key_binding_past_s": 600},
        {"key_binding_future_s": 120},
        {"trust_own_issuer": False},
        {"refused_certificates": ["AB"]},
        {"issuers": [{"issuer": FOREIGN, "trust_anchor_files": []}]},
        {"issuers": [{"issuer": FOREIGN}]},
        {"issuers": [{"issuer": "issuer.example", "trust_anchor_files": ["x"]}]},
    ],
)
def test_a_table_that_is_wrong(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MobileIdSettings.model_validate(table)


def test_an_issuer_named_twice(anchor_file: Path) -> None:
    issuer = {"issuer": FOREIGN, "trust_anchor_files": [anchor_file]}
    with pytest.raises(ValidationError, match="twice"):
        MobileIdSettings.model_validate({"issuers": [issuer, issuer]})


def test_an_anchor_file_that_is_missing_or_none(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    for path, words in ((tmp_path / "absent.pem", "cannot be read"), (rubbish, "no certificates")):
        issuer = {"issuer": FOREIGN, "trust_anchor_files": [path]}
        with pytest.raises(ValidationError, match=words):
            MobileIdSettings.model_validate({"issuers": [issuer]})


def test_without_trust_in_ourselves_our_own_mobile_ids_are_refused(scene: Scene) -> None:
    scene.method = scene.open(trust_own_issuer=False)
    assert scene.refused(scene.answer()) is Reason.ISSUER_UNTRUSTED


def test_another_type_and_another_claim(tmp_path: Path) -> None:
    scene = Scene(tmp_path, vct="urn:example:id", number_claim="employee_id")
    credential = scene.credential(claims={"vct": "urn:example:id"}, person={"employee_id": "E-7"})
    assert scene.complete(scene.answer(scene.present(credential))).identifier.number == "E-7"
