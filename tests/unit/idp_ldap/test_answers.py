"""What a server answers: refused binds, referrals and fault codes let nobody in."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.contracts import State
from idp.errors import OutsideError
from tests.unit.idp_ldap.support import (
    BIND,
    PEOPLE,
    PERSON,
    SEARCH,
    SUFFIX,
    entry,
    fake_server,
    finding,
    good,
    message,
    result,
    source,
)


def test_finds_through_the_fake_server(tmp_path: Path) -> None:
    with fake_server(finding(entry(f"uid=1,{PEOPLE}", **PERSON))) as server:
        found = source(server.url, tmp_path).find("E1")
    assert found is not None
    assert (found.name, found.state) == ("홍길동", State.ACTIVE)
    assert server.seen == [BIND, SEARCH]


@pytest.mark.parametrize("code", [1, 7, 8, 10, 14, 32, 49, 51, 53, 80])
def test_a_refused_bind_is_not_tried_as_nobody(tmp_path: Path, code: int) -> None:
    """A-214: no anonymous fallback, and no search without a bind."""

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield message(number, result(0x61, code)) if operation == BIND else b""

    with fake_server(answer) as server, pytest.raises(OutsideError, match="bind refused"):
        source(server.url, tmp_path).find("E1")
    assert server.seen == [BIND]
    assert b"secret-of-the-service" in server.octets


def test_an_answer_that_is_no_bind_response_binds_nobody(tmp_path: Path) -> None:
    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield message(number, result(0x65))

    with fake_server(answer) as server, pytest.raises(OutsideError):
        source(server.url, tmp_path).find("E1")
    assert server.seen == [BIND]


def test_the_password_is_in_no_error(tmp_path: Path) -> None:
    with fake_server(finding(code=50)) as server, pytest.raises(OutsideError) as refused:
        source(server.url, tmp_path).find("E1")
    assert "secret" not in repr(refused.value)
    with fake_server(lambda *_: iter([b"garbage"])) as server:
        with pytest.raises(OutsideError) as refused:
            source(server.url, tmp_path).find("E1")
        assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize("where", [BIND, SEARCH])
def test_a_referral_is_not_followed(tmp_path: Path, where: int) -> None:
    """A-215: the host that a referral names sees nothing, not even a connection."""
    with fake_server() as attacker:
        referral = f"{attacker.url}/{PEOPLE}"

        def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
            if operation == where:
                tag = 0x61 if where == BIND else 0x65
                yield message(number, result(tag, 10, referral))
            else:
                yield from good(number, operation, octets)

        with fake_server(answer) as server, pytest.raises(OutsideError):
            source(server.url, tmp_path).find("E1")
        time.sleep(0.1)
        assert attacker.connections == 0
        assert attacker.octets == b""


def test_a_search_reference_is_neither_followed_nor_an_entry(tmp_path: Path) -> None:
    with fake_server() as attacker:
        uri = f"{attacker.url}/{PEOPLE}".encode()
        reference = b"\x73" + bytes([len(uri) + 2]) + b"\x04" + bytes([len(uri)]) + uri
        with fake_server(finding(reference)) as server:
            assert source(server.url, tmp_path).find("E1") is None
        assert attacker.connections == 0


def test_a_group_outside_its_place_is_none(tmp_path: Path) -> None:
    """A-221: whatever a server answers, only groups directly below groups_base_dn lend a name."""
    base = f"ou=groups,{SUFFIX}"
    groups = (
        *(f"cn=here,{base}", f"cn=admins,ou=evil,{SUFFIX}", f"cn=admins,ou=below,{base}"),
        *(f"cn=admins+ou=x,{base}", f"ou=admins,{base}", "cn=admins", "no name"),
    )

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation != SEARCH:
            yield from good(number, operation, octets)
        elif b"inetOrgPerson" in octets:
            yield message(number, entry(f"uid=1,{PEOPLE}", **PERSON))
            yield message(number, result(0x65))
        else:
            found = groups if b"uid=1" in octets else ()
            yield b"".join(message(number, entry(dn, cn=[b"admins"])) for dn in found)
            yield message(number, result(0x65))

    with fake_server(answer) as server:
        found = source(server.url, tmp_path, groups="member", groups_base_dn=base).find("E1")
    assert found is not None
    assert found.groups == ("here",)
