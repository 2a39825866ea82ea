"""The kinds of relying party: who may enter, what they are told. Each opens with its defaults."""

from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import ValidationError

from idp.claims import PROTOCOL_CLAIMS
from idp.contracts import Official, State
from idp.errors import AccessDenied
from idp.events import Reason
from idp_internal import InternalSettings
from idp_mail import MailSettings
from idp_smart_work import SmartWorkSettings
from tests.unit.idp_ldap.support import kit

ALL = frozenset({"openid", "profile", "email", "groups"})
OFFICIAL = Official(
    *("esaram", "E1", State.ACTIVE, "홍길동", "가상행정부", "인사과", "사무관"),
    *("Hong@Gasang.example", ("gasang-all",)),
)
KINDS = {"mail": MailSettings, "smart_work": SmartWorkSettings, "internal": InternalSettings}


def refused(settings: Any, **over: Any) -> bool:
    try:
        settings.open(kit()).admit(replace(OFFICIAL, **over))
    except AccessDenied as denied:
        return denied.reason is Reason.NOT_ADMITTED
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_installed_and_opens_with_defaults(kind: str) -> None:
    installed = {one.name: one for one in entry_points(group="idp.relying_parties")}
    assert installed[kind].load() is KINDS[kind]
    adapter = KINDS[kind]().open(kit())
    adapter.admit(OFFICIAL)
    assert PROTOCOL_CLAIMS.isdisjoint(adapter.claims(OFFICIAL, ALL))
    assert adapter.claims(OFFICIAL, frozenset()) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_settings_are_refused(kind: str) -> None:
    with pytest.raises(ValidationError):
        KINDS[kind](everyone=True)


@pytest.mark.parametrize("mail", ["", "hong", "@gasang.example", "hong@", "a@b@gasang.example"])
def test_mail_admits_only_who_has_a_mailbox(mail: str) -> None:
    assert refused(MailSettings(), mail=mail)


def test_mail_can_be_kept_to_its_domains() -> None:
    settings = MailSettings(domains=("gasang.example",))
    assert not refused(settings)
    assert refused(settings, mail="hong@moui.example")
    assert refused(settings, mail="hong@x.gasang.example")
    assert refused(settings, mail="hong@moui.example@gasang.example")
    with pytest.raises(ValidationError):
        MailSettings(domains=("Gasang.example",))


def test_mail_names_the_mailbox_as_servers_do() -> None:
    adapter = MailSettings().open(kit())
    assert adapter.claims(OFFICIAL, ALL) == {"preferred_username": "hong@gasang.example"}
    assert adapter.claims(OFFICIAL, frozenset({"openid", "profile"})) == {}
    assert adapter.claims(replace(OFFICIAL, mail=""), ALL) == {}


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
def test_a_smart_work_center_admits_only_active_officials(state: State) -> None:
    assert refused(SmartWorkSettings(), state=state)


def test_a_smart_work_center_can_be_kept_to_agencies() -> None:
    settings = SmartWorkSettings(agencies=("가상행정부",))
    assert not refused(settings)
    assert refused(settings, agency="예시시청")
    assert refused(SmartWorkSettings(), agency="")


def test_a_smart_work_center_knows_the_place_not_the_person() -> None:
    adapter = SmartWorkSettings().open(kit())
    assert adapter.claims(OFFICIAL, frozenset({"openid"})) == {
        "agency": "가상행정부",
        "department": "인사과",
        "rank": "사무관",
    }
    assert adapter.claims(replace(OFFICIAL, rank=""), ALL).keys() == {"agency", "department"}


def test_an_internal_application_can_be_kept_to_groups_and_agencies() -> None:
    assert not refused(InternalSettings(), groups=(), agency="")
    by_group = InternalSettings(groups=("gasang-all", "others"))
    assert not refused(by_group)
    assert refused(by_group, groups=("gasang",))
    assert refused(by_group, groups=())
    both = InternalSettings(groups=("gasang-all",), agencies=("가상행정부",))
    assert not refused(both)
    assert refused(both, agency="예시시청")
    assert refused(both, groups=())
