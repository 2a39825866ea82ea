"""The guarded fetcher: what it may reach, how long, how much (A-067, A-238)."""

import gzip
import socket
import threading
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from idp.demo import authority
from idp.errors import OutsideError
from idp.fetch import MAX_BYTES, Fetcher
from idp.outbound import PRIVATE, is_allowed
from tests.fakes.key_host import Answer, KeyHost, body, flood, key_host, timed
from tests.servers import canary
from tests.unit.test_signals import over_tls

LOCAL = Fetcher("http://localhost:8000", total_s=0.5)
PUBLIC = Fetcher("https://id.example.go.kr", total_s=0.5)


@pytest.fixture(scope="module")
def host() -> Iterator[KeyHost]:
    with key_host() as found:
        yield found


def fault(url: str, fetcher: Fetcher = LOCAL) -> str:
    with pytest.raises(OutsideError) as caught:
        fetcher.get(url, "application/json")
    assert caught.value.system == "fetch"
    return caught.value.detail.removeprefix("fetch: ")


def chunked(*parts: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (*parts, b""):
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    return answer


def raw(octets: bytes) -> Answer:
    return lambda connection: connection.sendall(octets)


def test_a_body_comes_whole_however_it_is_sent(host: KeyHost) -> None:
    for path, answer in (
        ("/length", body(b"good")),
        ("/chunks", chunked(b"go", b"od")),
        ("/close", raw(b"HTTP/1.0 200 OK\r\n\r\ngood")),
        ("/continue", raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\ngood")),
        ("/a?b=%20c", body(b"good")),
    ):
        assert LOCAL.get(host.serve(path, answer), "x/y") == b"good"
        assert host.calls[path] == 1
    most = b"a" * MAX_BYTES
    assert LOCAL.get(host.serve("/most", body(most)), "x/y") == most


def test_a067_slow_answers_are_left_in_time(host: KeyHost) -> None:
    for path, answer in (("/silence", host.silence), ("/drip", host.drip)):
        told, seconds = timed(partial(fault, host.serve(path, answer)))
        assert told == "timed out"
        assert seconds < 1


def test_a067_a_large_answer_is_left(host: KeyHost) -> None:
    told, seconds = timed(lambda: fault(host.serve("/flood", flood)))
    assert told == "too large"
    assert seconds < 1
    assert fault(host.serve("/more", body(b"a" * (MAX_BYTES + 1)))) == "too large"
    framed = b"".join(b"1;%s\r\na\r\n" % (b"x" * 2000) for _ in range(1000))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert fault(host.serve("/frames", raw(head + framed + b"0\r\n\r\n"))) == "too large"
    assert fault(host.serve("/bomb", body(gzip.compress(b"a"), "200 OK", "Content-Encoding: gzip")))


def test_a067_a_redirect_is_not_followed(host: KeyHost) -> None:
    with canary() as inside:
        moved = body(b"", "302 Found", f"Location: {inside.url}")
        assert fault(host.serve("/moved", moved)) == "status 302"
        assert inside.calls == 0
    for status in ("404 Not Found", "500 Oops", "206 Partial", "204 No Content"):
        assert fault(host.serve("/status", body(b"", status))).startswith("status ")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"\xff\xfe" * 100,
    ],
)
def test_what_is_no_whole_http_answer_is_a_named_error(host: KeyHost, octets: bytes) -> None:
    assert fault(host.serve("/raw", raw(octets)))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/k",
        "https://localhost:{port}/k",
        "https://[::1]:{port}/k",
        "https://[::ffff:127.0.0.1]:{port}/k",
        "https://2130706433:{port}/k",
        "https://0x7f000001:{port}/k",
        "https://127.1:{port}/k",
        "https://0177.0.0.1:{port}/k",
        "http://127.0.0.1:{port}/k",
        "https://who@127.0.0.1:{port}/k",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/k",
        "https://192.168.0.1/k",
        "https://100.100.100.200/k",
        "https://rp.example.go.kr:22/k",
        "ftp://127.0.0.1:{port}/k",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/k",
        "https:///k",
        "https://127.0.0.1:{port}/k\r\nX: y",
        "",
    ],
)
def test_a238_nothing_inside_is_reached(url: str) -> None:
    with canary() as inside:
        port = inside.url.rpartition(":")[2].partition("/")[0]
        assert fault(url.format(port=port), PUBLIC) == "address not allowed"
        assert inside.calls == 0


def test_a238_a_name_that_leads_inside_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that is public at the first look and ours at the second: it is looked up once."""
    asked = []

    def resolver(host: str, port: int, **_options: object) -> object:
        asked.append(host)
        found = "169.254.169.254" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with canary() as inside:
        port = inside.url.rpartition(":")[2].partition("/")[0]
        assert fault(f"https://rp.example.go.kr:{port}/k", LOCAL) == "address not allowed"
        assert (inside.calls, len(asked)) == (0, 1)


def test_a_slow_resolver_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def resolver(*_arguments: object, **_options: object) -> object:
        over.wait(5)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    told, seconds = timed(lambda: fault("https://rp.example.go.kr/k", PUBLIC))
    over.set()
    assert (told, seconds < 1) == ("timed out", True)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),  # noqa: S104
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1"),
        *("255.255.255.255", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
        *("::7f00:1", "::a9fe:a9fe", "64:ff9b:1::1", "fec0::1", "100::1", "4000::1"),
    ],
)
def test_a238_addresses_that_are_not_public(address: str) -> None:
    assert not is_allowed(ip_address(address), loopback=False)


def test_named_private_networks_alone_are_opened() -> None:
    office = [ip_network("10.20.0.0/16")]
    assert is_allowed(ip_address("10.20.1.1"), loopback=False, networks=office)
    assert is_allowed(ip_address("::ffff:10.20.1.1"), loopback=False, networks=office)
    assert not is_allowed(ip_address("10.21.1.1"), loopback=False, networks=office)
    wide = [ip_network("0.0.0.0/0"), ip_network("::/0"), *PRIVATE]
    for never in ("169.254.169.254", "127.0.0.1", "fd00:ec2::254", "fe80::1", "100.100.100.200"):
        assert not is_allowed(ip_address(never), loopback=False, networks=wide)
    assert is_allowed(ip_address("8.8.8.8"), loopback=False)
    assert is_allowed(ip_address("2001:4860:4860::8888"), loopback=False)


def test_a067_a_certificate_of_nobody_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with over_tls(tmp_path) as port:
        assert fault(f"https://localhost:{port}/k") == "SSLCertVerificationError"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ensure(tmp_path, "localhost").ca_file))
    trusting = Fetcher("http://localhost:8000", total_s=2)
    with over_tls(tmp_path) as port:
        assert trusting.get(f"https://localhost:{port}/k", "x/y") == b""
