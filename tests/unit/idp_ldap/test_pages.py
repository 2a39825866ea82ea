"""Searches that are more than a server gives at once: whole, or told to be a part (A-221)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.errors import OutsideError
from idp_ldap.link import PAGE
from tests.servers_slapd import Authority, slapd
from tests.unit.idp_ldap.support import (
    BIND,
    PEOPLE,
    PERSON,
    SEARCH,
    SUFFIX,
    entry,
    fake_server,
    integer,
    message,
    reader,
    result,
    source,
    suffix_entry,
    tlv,
)

PAGED = b"1.2.840.113556.1.4.319"
MANY = 2 * PAGE + 50
LIMITS = f'olcLimits: dn.exact="cn=gongmu-reader,{SUFFIX}" size.soft={PAGE} size.hard={PAGE}'


def content() -> str:
    """Many people, one of them in many groups."""
    people = [
        f"\ndn: uid=u{n},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{n}\ncn: a\nsn: a\n"
        f"employeeNumber: E{n}\nemployeeType: active\n"
        for n in range(MANY)
    ]
    groups = [
        f"\ndn: cn=g{n:03},{SUFFIX}\nobjectClass: groupOfNames\ncn: g{n:03}\nmember: uid=u0,{SUFFIX}\n"
        for n in range(MANY)
    ]
    return suffix_entry() + "".join([*people, *groups])


@pytest.mark.services
@pytest.mark.parametrize(
    ("limits", "found", "groups"),
    [
        ("", MANY, MANY),
        (f"{LIMITS} size.pr={PAGE} size.prtotal=unlimited\n", MANY, MANY),
        # Pages are allowed, but no more than that in all; and no pages of our size at all.
        (f"{LIMITS} size.pr={PAGE} size.prtotal={PAGE + 10}\n", PAGE, None),
        (f"{LIMITS} size.pr={PAGE // 2} size.prtotal=unlimited\n", PAGE, None),
        (f"{LIMITS}\n", PAGE, None),
    ],
)
def test_a_server_with_limits(tmp_path: Path, limits: str, found: int, groups: int | None) -> None:
    with slapd(content(), SUFFIX, Authority(tmp_path), extra_config=limits) as server:
        directory = reader(server, server.ldaps_url, groups="member", groups_base_dn=SUFFIX)
        unreadable = 1 if groups is None else 0  # E0, who could not sign in either
        assert len(directory.search("E", 500)) == found - unreadable
        assert len(directory.search("E", 150)) == min(found, 150) - unreadable
        one = directory.find("E1")
        assert one is not None
        assert one.groups == ()
        if groups is None:
            with pytest.raises(OutsideError, match="too many groups"):
                directory.find("E0")
        else:
            crowded = directory.find("E0")
            assert crowded is not None
            assert len(crowded.groups) == groups


def page(number: int, *found: bytes, cookie: bytes) -> bytes:
    """Entries, and a result that says there are more (RFC 2696 §2)."""
    value = tlv(0x30, tlv(0x02, b"\0"), tlv(0x04, cookie))
    control = tlv(0xA0, tlv(0x30, tlv(0x04, PAGED), tlv(0x04, value)))
    done = tlv(0x30, integer(number), result(0x65), control)
    return b"".join(message(number, one) for one in found) + done


def test_a_server_that_never_comes_to_an_end_is_left(tmp_path: Path) -> None:
    def answer(number: int, operation: int, _octets: bytes) -> Iterator[bytes]:
        if operation == BIND:
            yield message(number, result(0x61))
        if operation == SEARCH:
            yield page(number, cookie=b"more")

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=0.5)
        with pytest.raises(OutsideError, match=r"out of time|timed out"):
            directory.search("", 500)


def test_pages_together_are_no_larger_than_one_answer_may_be(tmp_path: Path) -> None:
    one = entry(f"uid=1,{PEOPLE}", **PERSON, description=[b"x" * 4096] * 400)

    def answer(number: int, operation: int, _octets: bytes) -> Iterator[bytes]:
        if operation == BIND:
            yield message(number, result(0x61))
        if operation == SEARCH:
            yield page(number, one, cookie=b"more")

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=5)
        with pytest.raises(OutsideError, match="more than 4 MiB"):
            directory.search("", 500)
        assert server.seen.count(SEARCH) <= 2 * 3  # three pages, asked again on a new connection


def test_a_page_of_one_person_is_not_asked_for(tmp_path: Path) -> None:
    """What is small anyway costs nothing more."""
    with fake_server() as server:
        source(server.url, tmp_path).find("E1")
        assert PAGED not in bytes(server.octets)
        source(server.url, tmp_path).search("", PAGE + 1)
        assert PAGED in bytes(server.octets)
