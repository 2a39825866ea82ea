"""What every directory must do, asked of the LDIF file and of a real slapd with the same entries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.contracts import Directory, Official, State
from idp.errors import AccessDenied, OutsideError
from idp.events import Reason
from idp_ldap import LdapSettings, LdifSettings
from tests.contract.officials import GROUPS, PEOPLE, content
from tests.servers_slapd import Authority, Slapd, slapd
from tests.unit.idp_ldap.support import JPEG, NOW, SUFFIX, kit

ROOT = Path(__file__).resolve().parent.parent.parent
ANY_NUMBER = r"(?s).{1,256}"


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of directory, with the entries in it."""

    base: dict[str, Any]
    kind: type[LdifSettings] | type[LdapSettings]
    server: Slapd | None

    def open(self, now: Callable[[], datetime] = lambda: NOW, **over: Any) -> Directory:
        values = {"name": "test", "base_dn": PEOPLE, "groups_base_dn": GROUPS}
        values["personnel_number_pattern"] = ANY_NUMBER
        return self.kind(**values | self.base | over).open(kit(now))


@pytest.fixture(scope="module", params=["ldif", pytest.param("slapd", marks=pytest.mark.services)])
def place(request: Any, tmp_path_factory: Any) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("directory")
    if request.param == "ldif":
        file = folder / "officials.ldif"
        file.write_text(content())
        yield Place({"file": file}, LdifSettings, None)
        return
    with slapd(content(), SUFFIX, Authority(folder)) as server:
        base = {
            "urls": (server.ldaps_url,),
            "ca_file": server.ca_file,
            "bind_dn": server.reader_dn,
            "bind_password_file": server.password_file,
        }
        yield Place(base, LdapSettings, server)


@pytest.fixture(scope="module")
def directory(place: Place) -> Directory:
    return place.open()


def test_finds_an_official_with_everything_the_entry_says(place: Place) -> None:
    found = place.open(extra_attributes=("telephoneNumber",)).find("E1")
    assert found is not None
    assert (found.source, found.personnel_number, found.state) == ("test", "E1", State.ACTIVE)
    assert (found.name, found.agency, found.department) == ("이몽룡", "가상행정부", "정보화담당관")
    assert (found.rank, found.mail, found.groups) == ("사무관", "a@gasang.example", ())
    assert found.photo == JPEG
    assert found.attributes["telephoneNumber"] == ("1", "2")
    assert found.attributes["cn"] == ("홍길동",)
    assert "jpegPhoto" not in found.attributes


def test_attributes_that_were_not_asked_for_do_not_come(directory: Directory) -> None:
    found = directory.find("E1")
    assert found is not None
    assert "telephoneNumber" not in found.attributes


def test_nobody_has_an_unknown_number(directory: Directory) -> None:
    assert directory.find("E404") is None


def test_a_number_of_another_source_is_not_asked_for(place: Place) -> None:
    assert place.open(personnel_number_pattern=r"I\d+").find("E1") is None


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("S-active", State.ACTIVE),
        ("S-suspended", State.SUSPENDED),
        ("S-on_leave", State.ON_LEAVE),
        ("S-retired", State.RETIRED),
        ("S-not_started", State.NOT_STARTED),
        ("S-moved", State.UNKNOWN),
        ("S-upper", State.UNKNOWN),
        ("S-none", State.UNKNOWN),
        ("S-two", State.UNKNOWN),
    ],
)
def test_only_a_mapped_state_counts(directory: Directory, number: str, state: State) -> None:
    """A-217."""
    found = directory.find(number)
    assert found is not None
    assert found.state is state


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("E1", State.ACTIVE),
        ("T-from", State.NOT_STARTED),
        ("T-today", State.ACTIVE),
        ("T-broken", State.UNKNOWN),
        ("U-last-day", State.ACTIVE),
        ("U-over", State.RETIRED),
        ("U-moment", State.RETIRED),
        ("L1", State.SUSPENDED),
        ("S-on_leave", State.ON_LEAVE),
    ],
)
def test_dates_and_locks_take_active_away(place: Place, number: str, state: State) -> None:
    """A-217: expired, locked, not yet started. It is noon of 2026-03-02 in Seoul."""
    where = {"starts_attribute": "carLicense", "ends_attribute": "roomNumber"}
    found = place.open(locked_attribute="pager", **where).find(number)
    assert found is not None
    assert found.state is state


def test_days_begin_and_end_where_the_official_is(place: Place) -> None:
    seoul_midnight = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    source = place.open(
        lambda: seoul_midnight, starts_attribute="carLicense", ends_attribute="roomNumber"
    )
    starting, ending = source.find("T-from"), source.find("U-last-day")
    assert starting is not None
    assert ending is not None
    assert (starting.state, ending.state) == (State.ACTIVE, State.RETIRED)


def test_a_state_map_names_what_counts(place: Place) -> None:
    source = place.open(state_map={"moved": "active"})
    moved, active = source.find("S-moved"), source.find("S-active")
    assert moved is not None
    assert active is not None
    assert (moved.state, active.state) == (State.ACTIVE, State.UNKNOWN)


@pytest.mark.parametrize("number", ["D1", "V1", "v1", "M-mail", "M-cn"])
def test_two_entries_or_two_values_are_ambiguous(directory: Directory, number: str) -> None:
    """A-217 (two entries), A-224 (several values where one is expected)."""
    with pytest.raises(AccessDenied) as refused:
        directory.find(number)
    assert refused.value.reason is Reason.PERSON_AMBIGUOUS


def test_two_numbers_in_one_entry_are_ambiguous(place: Place) -> None:
    """A-224, and A-220: an alias is no second account."""
    source = place.open(number_attribute="initials")
    for number in ("M1", "M1-alias"):
        with pytest.raises(AccessDenied) as refused:
            source.find(number)
        assert refused.value.reason is Reason.PERSON_AMBIGUOUS


@pytest.mark.parametrize(
    "number",
    [
        *("c-lower", "C-LOWER", "C-lower ", " C-lower", "\uff23-lower", "C-lower\xa0"),
        *("C-lower\u200b", "e\u0301-nfc", "\xc9-nfc", "W  1", "W1", "w 1"),
    ],
)
def test_a_variant_of_a_number_is_nobody(directory: Directory, number: str) -> None:
    """A-220: case, width, normal form, blanks."""
    assert directory.find(number) is None


@pytest.mark.parametrize("number", ["C-lower", "\xe9-nfc", "W 1", "star*", ")(cn=*", "back\\2a"])
def test_a_number_is_only_ever_itself(directory: Directory, number: str) -> None:
    """A-210: characters with a meaning in filters are text."""
    found = directory.find(number)
    assert found is not None
    assert found.personnel_number == number


@pytest.mark.parametrize(
    "number",
    [
        *("*", "E*", "*)(uid=*", ")(uid=*", "E1)(|(cn=*", "\\2a", "E1\\00", "\0", "E1\0", "E1\n"),
        *("(" * 256, "", " ", "E1" * 200, "\udcff", "\u202e1E"),
    ],
)
def test_an_injected_filter_finds_nobody(directory: Directory, number: str) -> None:
    """A-210."""
    assert directory.find(number) is None


@pytest.mark.parametrize(
    "text", ["*", ")(uid=*", "\\2a\\29", "\0", "\udcff", "(" * 10_000, "가" * 257]
)
def test_an_injected_search_finds_only_its_own_text(directory: Directory, text: str) -> None:
    found = directory.search(text, 100)
    assert all(text in official.personnel_number for official in found)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.text(max_size=40) | st.text(alphabet="()*\\&|!=~<>0aE1 \0", max_size=40))
def test_any_text_is_text(directory: Directory, text: str) -> None:
    try:
        found = directory.find(text)
    except AccessDenied:
        assert text in {"D1", "V1", "v1", "M-mail", "M-cn"}
    else:
        assert found is None or found.personnel_number == text
    for official in directory.search(text, 500) if text.strip() else ():
        shown = (official.personnel_number, official.mail, *official.attributes["cn"])
        first = text.strip().casefold()[:1]
        if first.isascii() and first.isalnum():  # servers fold other characters in their own ways
            assert any(first in value.casefold() for value in shown)


def test_search_is_by_name_number_and_mail(directory: Directory) -> None:
    by_name = {official.personnel_number for official in directory.search("이몽룡", 10)}
    by_number = {official.personnel_number for official in directory.search("t-tod", 10)}
    assert by_name == {"E1"}
    assert by_number == {"T-today"}
    assert len(directory.search("@gasang.example", 500)) > 10


def test_search_of_nothing_gives_all_that_can_be_read_within_the_limit(
    directory: Directory,
) -> None:
    everyone = [official.personnel_number for official in directory.search("", 500)]
    assert everyone == sorted(everyone)
    assert {"E1", "S-retired"} <= set(everyone)
    assert not {"M-cn", "X-control", "G-deeper"} & set(everyone)
    assert len(directory.search("", 5)) <= 5
    assert directory.search("", 0) == []
    assert all(official.photo is None for official in directory.search("E1", 5))


def test_html_in_a_name_is_only_text(directory: Directory) -> None:
    found = directory.find("X-html")
    assert found is not None
    assert found.name == "<script>alert(1)</script>"


@pytest.mark.parametrize("number", ["X-control", "X-bidi", "X-long"])
def test_an_entry_that_does_not_read_as_text_is_no_answer(
    directory: Directory, number: str
) -> None:
    """A-223."""
    with pytest.raises(OutsideError):
        directory.find(number)


@pytest.mark.parametrize("number", ["P-nul", "P-large"])
def test_a_photo_that_is_none_is_left_out(directory: Directory, number: str) -> None:
    """A-223."""
    found = directory.find(number)
    assert found is not None
    assert found.photo is None


def test_nested_groups_are_found_whole(directory: Directory) -> None:
    """A-221: depth, a group of 10,000, and groups elsewhere that do not count."""
    found = directory.find("G-deep")
    assert found is not None
    assert found.groups == ("crowd", *(f"deep-{number:02d}" for number in range(19)))


def test_groups_in_a_ring_end(directory: Directory) -> None:
    found = directory.find("G-looped")
    assert found is not None
    assert found.groups == ("loop-a", "loop-b")


def test_groups_nested_too_deep_are_refused_not_cut(directory: Directory) -> None:
    with pytest.raises(OutsideError, match="deeper"):
        directory.find("G-deeper")


def test_nested_groups_can_be_switched_off(place: Place) -> None:
    found = place.open(nested_groups=False).find("G-deep")
    assert found is not None
    assert found.groups == ("crowd", "deep-00")


def test_a_delegated_subtree_lends_groups_only_when_told_so(place: Place) -> None:
    found = place.open(groups_scope="sub", nested_groups=False).find("G-deep")
    assert found is not None
    assert found.groups == ("crowd", "deep-00", "delegated-admins")


def test_no_groups_when_switched_off(place: Place) -> None:
    found = place.open(groups="none", groups_base_dn="").find("G-deep")
    assert found is not None
    assert found.groups == ()


def test_check_tells_whether_it_can_answer(place: Place) -> None:
    place.open().check()
    missing = place.open(base_dn=f"ou=gone,{SUFFIX}")
    with pytest.raises(OutsideError):
        missing.check()
    with pytest.raises(OutsideError):
        missing.find("E1")


def test_only_entries_below_the_base_count(place: Place) -> None:
    assert place.open(base_dn=f"ou=evil,{SUFFIX}").find("E1") is None


def test_only_officials_count(place: Place) -> None:
    assert place.open(person_class="organizationalUnit").find("E1") is None


def test_fulfils_the_protocol(directory: Directory) -> None:
    assert isinstance(directory, Directory)
    assert directory.name == "test"


def test_says_where_each_field_comes_from(place: Place) -> None:
    directory: Any = place.open(name_attributes=("displayName", "cn"))
    origins = directory.origins()
    assert origins["name"] == ("displayName", "cn")
    assert origins["mail"] == ("mail",)
    assert set(origins) <= {field.name for field in fields(Official)}
    switched_off: Any = place.open(groups="none", groups_base_dn="")
    assert switched_off.origins()["groups"] == ()


def test_names_the_servers_behind_it(place: Place) -> None:
    directory: Any = place.open()
    servers = directory.servers()
    assert len(servers) == (0 if place.server is None else 1)
    for server in servers:
        certificate = x509.load_der_x509_certificate(server.certificate)
        assert certificate.not_valid_after_utc > datetime.now(UTC)
        assert server.fault == ""
