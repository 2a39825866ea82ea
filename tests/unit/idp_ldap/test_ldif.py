"""The LDIF file: read again when it changes, and no answer while it cannot be read whole."""

import os
from pathlib import Path

import pytest

from idp.contracts import Directory
from idp.errors import OutsideError
from idp_ldap import LdifSettings
from tests.unit.idp_ldap.support import SUFFIX, kit

BASE = f"dn: {SUFFIX}\nobjectClass: organization\no: x\n\n"


def person(uid: str, number: str, name: str = "a") -> str:
    return (
        f"dn: uid={uid},{SUFFIX}\nobjectClass: inetOrgPerson\ncn: {name}\n"
        f"employeeNumber: {number}\nemployeeType: active\n\n"
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "officials.ldif"
    path.write_text(BASE + person("1", "E1"))
    return path


@pytest.fixture
def directory(file: Path) -> Directory:
    return LdifSettings(name="test", base_dn=SUFFIX, groups="none", file=file).open(kit())


def test_a_changed_file_is_read_again(directory: Directory, file: Path) -> None:
    assert directory.find("E2") is None
    file.write_text(BASE + person("1", "E2"))
    assert directory.find("E1") is None
    assert directory.find("E2") is not None


def test_a_file_put_in_its_place_is_read_even_with_an_old_time(
    directory: Directory, file: Path
) -> None:
    assert directory.find("E1") is not None
    stat = file.stat()
    other = file.with_name("other.ldif")
    other.write_text(BASE + person("1", "E9"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert directory.find("E1") is None


def test_an_unchanged_file_is_not_read_again(directory: Directory, file: Path) -> None:
    searcher = directory._searcher  # type: ignore[attr-defined]
    directory.check()
    content = searcher._content
    directory.find("E1")
    assert searcher._content is content


@pytest.mark.parametrize(
    "spoiled",
    [
        "no colon here\n",
        "cn: a value without a name first\n",
        "dn: no name\ncn: a\n",
        f"dn: uid=2,{SUFFIX}\ndn: uid=3,{SUFFIX}\ncn: a\n",
        f"dn: uid=1,{SUFFIX}\ncn: the same entry again\n",
        f"dn: UID=1 , {SUFFIX}\ncn: the same entry, spelt otherwise\n",
        f"dn: uid=2,{SUFFIX}\nchangetype: delete\n",
        f"dn: uid=2,{SUFFIX}\njpegPhoto:< file:///etc/passwd\n",
        f"dn: uid=2,{SUFFIX}\ncn:: ***\n a\n",
    ],
)
def test_a_malformed_file_is_no_answer(directory: Directory, file: Path, spoiled: str) -> None:
    """Fail closed: what was read before does not count any more."""
    assert directory.find("E1") is not None
    good = file.read_text()
    file.write_text(good + spoiled)
    for ask in (directory.check, lambda: directory.find("E1"), lambda: directory.search("", 5)):
        with pytest.raises(OutsideError):
            ask()
    file.write_text(good)
    assert directory.find("E1") is not None


def test_a_file_that_is_gone_is_no_answer(directory: Directory, file: Path) -> None:
    file.unlink()
    with pytest.raises(OutsideError):
        directory.find("E1")


def test_octets_that_are_no_text_are_no_name(directory: Directory, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"cn: a\n", b"cn:: /////w==\n"))
    with pytest.raises(OutsideError):
        directory.find("E1")


def test_attribute_names_in_any_case_are_one(directory: Directory, file: Path) -> None:
    file.write_text(
        BASE + person("1", "E1").replace("employeeNumber", "EMPLOYEENUMBER") + person("2", "E2")
    )
    found = directory.find("E1")
    assert found is not None
    assert found.personnel_number == "E1"


def test_language_variants_are_not_the_name(directory: Directory, file: Path) -> None:
    file.write_text(BASE + person("1", "E1", "홍길동").replace("cn: ", "cn;lang-en: Hong\ncn: "))
    found = directory.find("E1")
    assert found is not None
    assert found.name == "홍길동"
