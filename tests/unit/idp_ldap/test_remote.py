"""Attacks on the way to a directory server: each ends in time, refused, with nothing given away."""

import gc
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from idp.contracts import Directory, State
from idp.errors import OutsideError
from idp_ldap import LdapSettings
from idp_ldap.wire import Deadline, OutOfTime, Wire, open_wire, resolve, tls_context
from idp_ldap.wire import Address as Place
from tests.servers_slapd import READER_PASSWORD, Authority, Slapd, slapd
from tests.unit.idp_ldap.support import (
    BIND,
    EXTENDED,
    JPEG,
    SEARCH,
    SUFFIX,
    Answerer,
    entry,
    fake_server,
    good,
    integer,
    kit,
    message,
    result,
)

PEOPLE = f"ou=people,{SUFFIX}"
PERSON = {
    "employeeNumber": [b"E1"],
    "cn": ["홍길동".encode()],
    "employeeType": [b"active"],
}


def source(url: str | tuple[str, ...], folder: Path, **over: Any) -> Directory:
    """A directory at that address, without TLS unless told otherwise."""
    password = folder / "password"
    password.write_text("secret-of-the-service\n")
    values: dict[str, Any] = {
        "name": "test",
        "urls": (url,) if isinstance(url, str) else url,
        "bind_dn": f"cn=reader,{SUFFIX}",
        "bind_password_file": password,
        "base_dn": PEOPLE,
        "groups": "none",
        "plain_on_loopback": True,
    }
    return LdapSettings(**values | over).open(kit())


def finding(*found: bytes, code: int = 0, referral: str = "") -> Answerer:
    """A server that answers searches with these entries."""

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield from good(number, operation, octets) if operation != SEARCH else ()
        if operation == SEARCH:
            yield b"".join(message(number, one) for one in found) + message(
                number, result(0x65, code, referral)
            )

    return answer


def test_finds_through_the_fake_server(tmp_path: Path) -> None:
    with fake_server(finding(entry(f"uid=1,{PEOPLE}", **PERSON))) as server:
        found = source(server.url, tmp_path).find("E1")
    assert found is not None
    assert (found.name, found.state) == ("홍길동", State.ACTIVE)
    assert server.seen == [BIND, SEARCH]


# --- binding ----------------------------------------------------------------------------------------


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


# --- referrals ---------------------------------------------------------------------------------------


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


# --- TLS ----------------------------------------------------------------------------------------------


def over_tls(authority: Authority, url: str, folder: Path) -> Directory:
    return source(url, folder, ca_file=authority.ca_file, plain_on_loopback=False)


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
@pytest.mark.parametrize(
    "fault", ["wrong name", "other authority", "self-signed", "expired", "not yet"]
)
def test_a_bad_certificate_gets_no_bind(tmp_path: Path, scheme: str, fault: str) -> None:
    """A-216: over ldaps and StartTLS alike."""
    trusted, other = Authority(tmp_path), Authority(tmp_path, "Another authority")
    leaf = {
        "wrong name": lambda: trusted.leaf("ldap.evil.example"),
        "other authority": lambda: other.leaf("localhost"),
        "self-signed": lambda: _self_signed(tmp_path),
        "expired": lambda: trusted.leaf("localhost", days=(-3, -1)),
        "not yet": lambda: trusted.leaf("localhost", days=(1, 2)),
    }[fault]()
    with slapd(_suffix_entry(), SUFFIX, trusted, leaf=leaf) as server:
        url = server.ldaps_url if scheme == "ldaps" else server.ldap_url
        with pytest.raises(OutsideError):
            over_tls(trusted, url, tmp_path).check()
        _wait_for(server, "closed")
        assert " BIND " not in server.log()
        assert " SRCH " not in server.log()


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_good_certificate_is_accepted(tmp_path: Path, scheme: str) -> None:
    authority = Authority(tmp_path)
    with slapd(_suffix_entry(), SUFFIX, authority) as server:
        url = server.ldaps_url if scheme == "ldaps" else server.ldap_url
        reader = _reader(server, url)
        reader.check()
        assert "TLS established" in server.log()


def _reader(server: Slapd, *urls: str, **over: Any) -> Directory:
    settings = LdapSettings(
        name="test",
        urls=urls,
        ca_file=server.ca_file,
        bind_dn=server.reader_dn,
        bind_password_file=server.password_file,
        base_dn=SUFFIX,
        groups="none",
        **over,
    )
    return settings.open(kit())


def _suffix_entry() -> str:
    return f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: test\no: test\n"


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself."""
    alone = Authority(folder, "localhost")
    return alone.leaf("localhost")


def _wait_for(server: Slapd, text: str) -> None:
    for _ in range(100):
        if text in server.log():
            return
        time.sleep(0.02)


@pytest.mark.parametrize("code", [1, 2, 10, 52, 80])
def test_a_refused_start_tls_gets_no_bind(tmp_path: Path, code: int) -> None:
    """A-216: who strips StartTLS sees that it was asked for, and nothing after."""

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield message(number, result(0x78, code))

    with fake_server(answer) as server, pytest.raises(OutsideError):
        source(server.url, tmp_path, plain_on_loopback=False).find("E1")
    assert server.seen == [EXTENDED]
    assert b"secret" not in server.octets


def test_start_tls_granted_without_tls_gets_no_bind(tmp_path: Path) -> None:
    """A-216: the answer says yes, and plain LDAP goes on."""

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield message(number, result(0x78)) + message(number + 1, result(0x61))

    with fake_server(answer) as server, pytest.raises(OutsideError):
        source(server.url, tmp_path, plain_on_loopback=False).find("E1")
    assert server.seen[0] == EXTENDED
    assert BIND not in server.seen
    assert b"secret" not in server.octets


def test_an_ldaps_address_that_speaks_plainly_gets_nothing(tmp_path: Path) -> None:
    with fake_server() as server, pytest.raises(OutsideError):
        source(f"ldaps://127.0.0.1:{server.port}", tmp_path).find("E1")
    assert b"secret" not in server.octets
    assert server.octets[:1] == b"\x16"  # a TLS handshake, although ldap:// would be let off here


def test_tls_before_1_2_is_refused(tmp_path: Path) -> None:
    """A-216."""
    authority = Authority(tmp_path)
    certificate, key = authority.leaf("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    outcome: list[str] = []
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            client.settimeout(10)
            try:
                with context.wrap_socket(client, server_side=True):
                    outcome.append("shook hands")
            except OSError as error:
                outcome.append(type(error).__name__)
            finally:
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(OutsideError):
            over_tls(authority, f"ldaps://localhost:{listener.getsockname()[1]}", tmp_path).find(
                "E1"
            )
        thread.join(10)
    assert outcome != []
    assert "shook hands" not in outcome


def test_the_tls_context_is_strict(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = tls_context(authority.ca_file)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1  # none of the system's


# --- time and size -----------------------------------------------------------------------------------


def _drip(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    """A bind at once, then an answer one octet at a time."""
    if operation == BIND:
        yield message(number, result(0x61))
        return
    for octet in message(number, entry(f"uid=1,{PEOPLE}", cn=[bytes(4000)])):
        time.sleep(0.05)
        yield bytes([octet])


def _silence(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    return
    yield


def _endless_entries(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    yield from good(number, operation, octets) if operation == BIND else ()
    while operation == SEARCH:
        yield message(number, entry(f"uid=1,{PEOPLE}", **PERSON)) * 50


def _huge(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    """200 MB in one attribute."""
    if operation == BIND:
        yield message(number, result(0x61))
        return
    head = b"\x30\x84" + (200_000_000).to_bytes(4, "big")
    yield head + integer(number) + b"\x64\x84" + (199_999_980).to_bytes(4, "big")
    for _ in range(200):
        yield bytes(1_000_000)


@pytest.mark.parametrize("answer", [_drip, _silence, _endless_entries, _huge])
def test_every_question_ends_in_time(tmp_path: Path, answer: Answerer) -> None:
    """A-223: slow drip, silence, entries without end, 200 MB."""
    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=1)
        began = time.monotonic()
        with pytest.raises(OutsideError):
            directory.find("E1")
        assert time.monotonic() - began < 1.6


def test_a_large_answer_is_refused_by_its_size(tmp_path: Path) -> None:
    with fake_server(_huge) as server, pytest.raises(OutsideError, match="4 MiB"):
        source(server.url, tmp_path).find("E1")


def test_a_server_that_accepts_nothing_is_left_in_time(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the library's own word
            filler.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with pytest.raises(OutsideError):
            source(f"ldap://127.0.0.1:{port}", tmp_path, timeout_s=0.5).find("E1")
        assert time.monotonic() - began < 1.2
        for filler in fillers:
            filler.close()


def test_a_handshake_that_never_ends_is_left_in_time(tmp_path: Path) -> None:
    with fake_server(_silence) as server:
        began = time.monotonic()
        with pytest.raises(OutsideError):
            source(f"ldaps://127.0.0.1:{server.port}", tmp_path, timeout_s=0.5).find("E1")
        assert time.monotonic() - began < 1.2


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x80" * 500,
        b"\x30\x82\x07\xd0" + b"\x30\x80" * 1000,
        b"\x30\x05\x02\x01\x02\x61\x00",
        bytes(64),
    ],
)
def test_octets_that_are_no_ldap_are_an_outage(tmp_path: Path, octets: bytes) -> None:
    def answer(number: int, operation: int, seen: bytes) -> Iterator[bytes]:
        yield from good(number, operation, seen) if operation == BIND else (octets,)

    with fake_server(answer) as server, pytest.raises(OutsideError):
        source(server.url, tmp_path, timeout_s=1).find("E1")


@pytest.mark.parametrize("code", [1, 3, 11, 32, 50, 51, 52, 53, 80, 123])
def test_a_result_that_is_no_success_is_an_outage(tmp_path: Path, code: int) -> None:
    """An entry that came before the fault does not count either: never partial."""
    with fake_server(finding(entry(f"uid=1,{PEOPLE}", **PERSON), code=code)) as server:
        with pytest.raises(OutsideError):
            source(server.url, tmp_path).find("E1")


def test_a_photo_that_is_too_large_does_not_stop_a_sign_in(tmp_path: Path) -> None:
    person = entry(f"uid=1,{PEOPLE}", **PERSON, jpegPhoto=[JPEG + bytes(1_000_000)])
    with fake_server(finding(person)) as server:
        found = source(server.url, tmp_path).find("E1")
    assert found is not None
    assert found.photo is None


# --- connections ---------------------------------------------------------------------------------------


def test_connections_are_used_again_and_closed_with_the_directory(tmp_path: Path) -> None:
    with fake_server() as server:
        directory = source(server.url, tmp_path)
        for _ in range(5):
            assert directory.find("E1") is None
        assert server.connections == 1
        del directory
        gc.collect()


def test_no_more_connections_than_allowed(tmp_path: Path) -> None:
    release = threading.Event()

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            release.wait(5)
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, connections=2)
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(directory.find, "E1") for _ in range(4)]
            time.sleep(0.3)
            assert server.connections == 2
            release.set()
            assert [one.result(5) for one in asked] == [None] * 4
        assert server.connections == 2


def test_who_gets_no_connection_in_time_is_told_so(tmp_path: Path) -> None:
    release = threading.Event()

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            release.wait(5)
        yield from good(number, operation, octets)

    with fake_server(answer) as server, ThreadPoolExecutor(1) as thread:
        directory = source(server.url, tmp_path, connections=1, timeout_s=1)
        first = thread.submit(directory.find, "E1")
        time.sleep(0.3)
        pool = directory._searcher._pool  # type: ignore[attr-defined]
        with pytest.raises(OutsideError, match="busy"):
            pool.enter(Deadline.after(0.1))
        release.set()
        assert first.result(5) is None
        assert directory.find("E1") is None  # the place was given back


def test_a_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    """A restart of the directory costs nobody a sign-in."""
    gone: list[int] = []

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH and len(gone) == 1:
            gone.append(1)
            raise OSError  # closes this connection
        gone.append(1) if operation == SEARCH else None
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path)
        assert directory.find("E1") is None
        assert directory.find("E1") is None
        assert server.connections == 2


def test_a_connection_that_died_without_a_word_is_replaced_in_time(tmp_path: Path) -> None:
    """A firewall that dropped a quiet connection: half the time for it, half for another."""
    searches: list[int] = []

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            searches.append(number)
            if len(searches) == 2:
                return
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=2)
        assert directory.find("E1") is None
        assert directory.find("E1") is None
        assert server.connections == 2


def test_the_next_replica_is_asked_when_one_is_away(tmp_path: Path) -> None:
    with socket.socket() as closed, fake_server() as server:
        closed.bind(("127.0.0.1", 0))
        away = f"ldap://127.0.0.1:{closed.getsockname()[1]}"
        directory = source((away, server.url), tmp_path)
        assert directory.find("E1") is None
        assert server.connections == 1


def test_no_replica_answers(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"ldap://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(OutsideError):
            source((away, away), tmp_path).check()


def test_small_packets_go_out_at_once() -> None:
    with fake_server() as server:
        wire = open_wire(Place("127.0.0.1", server.port, "plain"), Deadline.after(2))
        assert wire._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert isinstance(wire, Wire)
        wire.close()


def test_names_are_resolved_within_the_deadline() -> None:
    found = resolve("localhost", 389, Deadline.after(2))
    assert {place for _, place in found} <= {("127.0.0.1", 389), ("::1", 389)}
    with pytest.raises(OSError, match="name resolution"):
        resolve("no such host.invalid", 389, Deadline.after(5))
    with pytest.raises(OutOfTime):
        resolve("localhost", 389, Deadline.after(-1))


# --- a real server ----------------------------------------------------------------------------------------


@pytest.mark.services
def test_a_looked_up_value_is_one_equality_filter(tmp_path: Path) -> None:
    """A-210: as the server's own log has it."""
    with slapd(_suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        directory = _reader(server, server.ldaps_url, personnel_number_pattern="(?s).+")
        assert directory.find("*)(|(cn=*") is None
        searches = [line for line in server.log().splitlines() if "SRCH base" in line]
    assert len(searches) == 1
    assert (
        r'filter="(&(objectClass=inetOrgPerson)(employeeNumber=\2A\29\28|\28cn=\2A' in searches[0]
    )


@pytest.mark.services
def test_the_attributes_asked_for_are_named_one_by_one(tmp_path: Path) -> None:
    with slapd(_suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        assert _reader(server, server.ldaps_url).find("E1") is None
        asked = [line for line in server.log().splitlines() if "SRCH attr" in line]
    assert asked
    assert all("*" not in line and "+" not in line for line in asked)


@pytest.mark.services
def test_a_wrong_password_is_an_outage(tmp_path: Path) -> None:
    """A-214."""
    with slapd(_suffix_entry(), SUFFIX, Authority(tmp_path)) as server:
        server.password_file.write_text("not it")
        with pytest.raises(OutsideError, match="invalidCredentials"):
            _reader(server, server.ldaps_url).check()
        assert " SRCH " not in server.log()
        server.password_file.write_text(READER_PASSWORD)


@pytest.mark.services
def test_a_change_is_seen_by_the_next_question(tmp_path: Path) -> None:
    """A-218, A-217: entry deleted; what is found is found live."""
    person = (
        f"\ndn: uid=1,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: 1\ncn: a\nsn: a\n"
        "employeeNumber: E1\nemployeeType: active\n"
    )
    with slapd(_suffix_entry() + person, SUFFIX, Authority(tmp_path)) as server:
        directory = _reader(server, server.ldaps_url)
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
    with slapd(_suffix_entry() + entries, SUFFIX, Authority(tmp_path)) as server:
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
    """memberOf names direct groups; those above are read, those that are gone do not count."""
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
        _suffix_entry() + entries, SUFFIX, Authority(tmp_path), extra_config=overlay
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
    assert found is not None
    assert found.groups == ("above", "direct")
