"""What is remembered of nested groups: never longer than its age, never a person's own membership."""

from pathlib import Path
from typing import Any

import pytest

from idp.contracts import Directory
from idp.errors import OutsideError
from idp_ldap import LdifSettings
from idp_ldap.nesting import MAX_NAMES, MAX_SETS, Nesting
from tests.unit.idp_ldap.support import SUFFIX, kit

A, B = frozenset({"cn=a"}), frozenset({"cn=a", "cn=b"})


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_never_outlives_its_age() -> None:
    clock = Clock()
    nesting = Nesting(10, clock)
    nesting.keep(A, ("a", "top"), nesting.now())
    clock.at = 109.9
    assert nesting.get(A) == ("a", "top")
    assert nesting.get(B) is None
    clock.at = 110
    assert nesting.get(A) is None
    clock.at = 105  # and what was forgotten stays so
    assert nesting.get(A) is None


def test_the_age_counts_from_the_question() -> None:
    clock = Clock()
    nesting = Nesting(10, clock)
    asked_at = nesting.now()
    clock.at += 9
    nesting.keep(A, ("a",), asked_at)
    clock.at += 1
    assert nesting.get(A) is None


def test_a_clock_that_went_back_gives_nothing() -> None:
    clock = Clock()
    nesting = Nesting(10, clock)
    nesting.keep(A, ("a",), nesting.now())
    clock.at -= 1
    assert nesting.get(A) is None


def test_switched_off_it_keeps_nothing() -> None:
    clock = Clock()
    nesting = Nesting(0, clock)
    nesting.keep(A, ("a",), nesting.now())
    assert nesting.get(A) is None


def test_stays_small() -> None:
    nesting = Nesting(10, Clock())
    for number in range(MAX_SETS + 5):
        nesting.keep(frozenset({f"cn={number}"}), ("a",), nesting.now())
    assert nesting.get(frozenset({"cn=4"})) is None
    assert nesting.get(frozenset({"cn=5"})) == ("a",)
    nesting.keep(A, tuple(map(str, range(MAX_NAMES + 1))), nesting.now())
    assert nesting.get(A) is None


# --- in a source -----------------------------------------------------------------------------------


def content(member: str, top: str) -> str:
    return (
        f"dn: {SUFFIX}\nobjectClass: dcObject\ndc: test\n\n"
        f"dn: uid=1,{SUFFIX}\nobjectClass: inetOrgPerson\nemployeeNumber: E1\nemployeeType: active\n\n"
        f"dn: cn=inner,{SUFFIX}\nobjectClass: groupOfNames\ncn: inner\nmember: {member}\n\n"
        f"dn: cn={top},{SUFFIX}\nobjectClass: groupOfNames\ncn: {top}\nmember: cn=inner,{SUFFIX}\n"
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.ldif"
    path.write_text(content(f"uid=1,{SUFFIX}", "top"))
    return path


def directory(file: Path, **over: Any) -> Directory:
    values = {"name": "t", "file": file, "base_dn": SUFFIX, "groups_base_dn": SUFFIX}
    return LdifSettings(**values | over).open(kit())


def groups(source: Directory) -> tuple[str, ...]:
    found = source.find("E1")
    assert found is not None
    return found.groups


def test_a_person_who_leaves_a_group_has_left_it_at_once(file: Path) -> None:
    source = directory(file)
    assert groups(source) == ("inner", "top")
    file.write_text(content(f"uid=somebody-else,{SUFFIX}", "top"))
    assert groups(source) == ()


def test_how_groups_nest_is_remembered_and_can_be_asked_every_time(file: Path) -> None:
    remembering, asking = directory(file), directory(file, nested_groups_age_s=0)
    assert groups(remembering) == groups(asking) == ("inner", "top")
    file.write_text(content(f"uid=1,{SUFFIX}", "other"))
    assert groups(remembering) == ("inner", "top")
    assert groups(asking) == ("inner", "other")


def test_an_answer_that_is_refused_is_not_remembered(file: Path) -> None:
    source = directory(file, nested_groups_age_s=30)
    file.write_text("no LDIF")
    with pytest.raises(OutsideError, match="t: "):
        source.find("E1")
    file.write_text(content(f"uid=1,{SUFFIX}", "top"))
    assert groups(source) == ("inner", "top")
