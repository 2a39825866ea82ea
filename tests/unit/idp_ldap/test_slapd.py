"""A real slapd, asked as an installation asks it."""

from pathlib import Path

import pytest

from idp.contracts import State
from idp.errors import OutsideError
from idp_ldap import LdapSettings
from tests.servers_slapd import READER_PASSWORD, Authority, slapd
from tests.unit.idp_ldap.support import (
    SUFFIX,
    kit,
    reader,
    suffix_entry,
)


@pytest.mark.services
def test_a_looked_up_value_is_one_equality_filter(tmp_path: Path) -> None:
    """A-210: as the server's own log has it."""
    with slapd(suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        directory = reader(server, server.ldaps_url, personnel_number_pattern="(?s).+")
        assert directory.find("*)(|(cn=*") is None
        searches = [line for line in server.log().splitlines() if "SRCH base" in line]
    assert len(searches) == 1
    assert (
        r'filter="(&(objectClass=inetOrgPerson)(employeeNumber=\2A\29\28|\28cn=\2A' in searches[0]
    )


@pytest.mark.services
def test_the_attributes_asked_for_are_named_one_by_one(tmp_path: Path) -> None:
    with slapd(suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        assert reader(server, server.ldaps_url).find("E1") is None
        asked = [line for line in server.log().splitlines() if "SRCH attr" in line]
    assert asked
    assert all("*" not in line and "+" not in line for line in asked)


@pytest.mark.services
def test_a_wrong_password_is_an_outage(tmp_path: Path) -> None:
    """A-214."""
    with slapd(suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        server.password_file.write_text("not it")
        with pytest.raises(OutsideError, match="invalidCredentials"):
            reader(server, server.ldaps_url).check()
        assert " SRCH " not in server.log()
        server.password_file.write_text(READER_PASSWORD)


@pytest.mark.services
def test_a_change_is_seen_by_the_next_question(tmp_path: Path) -> None:
    """A-218, A-217: entry deleted; what is found is found live."""
    person = (
        f"\ndn: uid=1,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: 1\ncn: a\nsn: a\n"
        "employeeNumber: E1\nemployeeType: active\n"
    )
    with slapd(suffix_entry() + person, SUFFIX, Authority(tmp_path)) as server:
        directory = reader(server, server.ldaps_url)
        found = directory.find("E1")
        assert found is not None
        assert found.state is State.ACTIVE
        server.modify(
            f"dn: uid=1,{SUFFIX}\nchangetype: modify\nreplace: employeeType\nemployeeType: retired\n"
        )
        found = directory.find("E1")
        assert found is not None
        assert found.state is State.RETIRED
        server.modify(f"dn: uid=1,{SUFFIX}\nchangetype: delete\n")
        assert directory.find("E1") is None


@pytest.mark.services
def test_an_alias_is_not_followed(tmp_path: Path) -> None:
    """A-220: an alias entry does not stand for the person it points to."""
    entries = (
        f"\ndn: ou=real,{SUFFIX}\nobjectClass: organizationalUnit\nou: real\n"
        f"\ndn: uid=1,ou=real,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: 1\ncn: a\nsn: a\n"
        "employeeNumber: E1\nemployeeType: active\n"
        f"\ndn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n"
        f"\ndn: uid=alias,ou=people,{SUFFIX}\nobjectClass: alias\nobjectClass: extensibleObject\n"
        f"uid: alias\naliasedObjectName: uid=1,ou=real,{SUFFIX}\n"
    )
    with slapd(suffix_entry() + entries, SUFFIX, Authority(tmp_path)) as server:
        password = server.password_file
        settings = LdapSettings(
            name="test",
            urls=(server.ldaps_url,),
            ca_file=server.ca_file,
            bind_dn=server.reader_dn,
            bind_password_file=password,
            base_dn=f"ou=people,{SUFFIX}",
            groups="none",
        )
        assert settings.open(kit()).find("E1") is None


@pytest.mark.services
def test_groups_by_member_of(tmp_path: Path) -> None:
    """MemberOf names direct groups; those above are read, those that are gone do not count."""
    base = f"ou=groups,{SUFFIX}"
    overlay = (
        "\ndn: olcOverlay=memberof,olcDatabase={1}mdb,cn=config\nobjectClass: olcOverlayConfig\n"
        "objectClass: olcMemberOf\nolcOverlay: memberof\nolcMemberOfDangling: ignore\n"
    )
    entries = (
        f"\ndn: {base}\nobjectClass: organizationalUnit\nou: groups\n"
        f"\ndn: ou=evil,{SUFFIX}\nobjectClass: organizationalUnit\nou: evil\n"
        f"\ndn: uid=1,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: 1\ncn: a\nsn: a\n"
        "employeeNumber: E1\nemployeeType: active\n"
    )

    def group(name: str, member: str, below: str) -> str:
        return f"dn: cn={name},{below}\nchangetype: add\nobjectClass: groupOfNames\nmember: {member}\n\n"

    with slapd(
        suffix_entry() + entries, SUFFIX, Authority(tmp_path), extra_config=overlay
    ) as server:
        server.modify(group("direct", f"uid=1,{SUFFIX}", base))
        server.modify(group("above", f"cn=direct,{base}", base))
        server.modify(group("admins", f"uid=1,{SUFFIX}", f"ou=evil,{SUFFIX}"))
        settings = LdapSettings(
            name="test",
            urls=(server.ldaps_url,),
            ca_file=server.ca_file,
            bind_dn=server.reader_dn,
            bind_password_file=server.password_file,
            base_dn=SUFFIX,
            groups="memberOf",
            groups_base_dn=base,
        )
        found = settings.open(kit()).find("E1")
        assert 'SRCH base="cn=admins,ou=evil' not in server.log()  # not even asked about
    assert found is not None
    assert found.groups == ("above", "direct")
