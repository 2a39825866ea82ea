"""No bind without TLS that stands: certificate, name, version, StartTLS (A-216)."""

import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.contracts import Directory
from idp.errors import OutsideError
from idp_ldap.wire import tls_context
from tests.servers_slapd import Authority, Slapd, slapd
from tests.unit.idp_ldap.support import (
    BIND,
    EXTENDED,
    SUFFIX,
    fake_server,
    message,
    reader,
    result,
    source,
    suffix_entry,
)


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
    with slapd(suffix_entry(), SUFFIX, trusted, leaf=leaf) as server:
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
    with slapd(suffix_entry(), SUFFIX, authority) as server:
        url = server.ldaps_url if scheme == "ldaps" else server.ldap_url
        reader(server, url).check()
        assert "TLS established" in server.log()


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
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
