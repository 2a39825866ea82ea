"""The demo's invented officials, in their files as they are and loaded into a real slapd."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.contracts import Directory, State
from idp_ldap import LdapSettings, LdifSettings
from tests.servers_slapd import Authority, slapd
from tests.unit.idp_ldap.support import kit

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(params=["ldif", pytest.param("slapd", marks=pytest.mark.services)])
def demo_source(request: Any, tmp_path: Path) -> Iterator[Callable[[str], Directory]]:
    """The demo's files, as they are and loaded into slapd."""
    if request.param == "ldif":
        yield lambda name: _demo(LdifSettings, name, file=ROOT / f"conf/demo/{name}.ldif")
        return
    authority = Authority(tmp_path)
    with (
        slapd(
            (ROOT / "conf/demo/esaram.ldif").read_text(), "dc=esaram,dc=example", authority
        ) as one,
        slapd(
            (ROOT / "conf/demo/insarang.ldif").read_text(), "dc=insarang,dc=example", authority
        ) as two,
    ):
        servers = {"esaram": one, "insarang": two}
        yield lambda name: _demo(
            LdapSettings,
            name,
            urls=(servers[name].ldap_url,),
            ca_file=authority.ca_file,
            bind_dn=servers[name].reader_dn,
            bind_password_file=servers[name].password_file,
        )


def _demo(kind: Any, name: str, **where: Any) -> Directory:
    base = f"dc={name},dc=example"
    found: Directory = kind(
        name=name, base_dn=f"ou=people,{base}", groups_base_dn=f"ou=groups,{base}", **where
    ).open(kit())
    return found


def test_the_demo_has_somebody_for_every_case(demo_source: Callable[[str], Directory]) -> None:
    people = [*demo_source("esaram").search("", 100), *demo_source("insarang").search("", 100)]
    held = {
        group for official in people for group in official.groups if official.state is State.ACTIVE
    }
    wanted = {
        f"gongmu-{role}" for role in ("admins", "auditors", "approvers", "issuers", "loss-desk")
    }
    assert wanted <= held
    assert {official.state for official in people} >= {
        *(State.ACTIVE, State.SUSPENDED, State.ON_LEAVE, State.RETIRED)
    }
    assert all(official.mail.endswith(".example") and official.name for official in people)
    for source in ("esaram", "insarang"):
        agencies = {official.agency for official in people if official.source == source}
        assert len(agencies) == 2


def test_the_demo_has_small_portraits(demo_source: Callable[[str], Directory]) -> None:
    found = demo_source("esaram").find("E1000001")
    assert found is not None
    assert found.photo is not None
    assert 500 < len(found.photo) <= 8 * 1024
    assert found.groups == ("gasang-all", "gasang-informatics")
