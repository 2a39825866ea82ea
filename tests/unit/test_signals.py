"""The guarded POST: where it goes, how long it lasts, how much it reads (A-090, A-238); and the `sub`."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from idp.demo import authority
from idp.errors import OutsideError
from idp.relying_parties import RelyingParty
from idp.signals.posting import MAX_BYTES, TOTAL_S, Poster, is_allowed
from idp.subjects import pairwise, sector_of
from tests.fakes.receiver import OK, SILENCE, answer, receiver
from tests.servers import canary

FORM = "application/x-www-form-urlencoded"


def post(url: str, total_s: float = 1.0, *, loopback: bool = True) -> int:
    return Poster(loopback=loopback, total_s=total_s)(url, b"logout_token=x", FORM)


def fails(url: str, total_s: float = 1.0, *, loopback: bool = True) -> str:
    """Why it fails, and that it does so in time."""
    begun = time.monotonic()
    with pytest.raises(OutsideError) as refused:
        post(url, total_s, loopback=loopback)
    assert time.monotonic() - begun < total_s + 2  # on a busy machine
    return refused.value.detail.removeprefix("relying_party: ")


# --- the answer -------------------------------------------------------------------------------------


def test_the_request_is_a_form_and_the_status_is_read() -> None:
    with receiver(OK) as ear:
        assert post(f"{ear.url}?logout=backchannel") == 200
        [call] = ear.wait(1)
    assert call.head.startswith("POST /logout?logout=backchannel HTTP/1.1\r\n")
    assert f"Host: {ear.url.split('/')[2]}\r\n" in call.head
    assert call.body == "logout_token=x"


@pytest.mark.parametrize("status", [204, 302, 400, 404, 500, 503])
def test_every_status_is_told(status: int) -> None:
    with receiver(answer(f"{status} Word")) as ear:
        assert post(ear.url) == status


def test_a_redirect_leads_nowhere() -> None:
    with canary() as inside, receiver(answer("302 Found", f"Location: {inside.url}")) as ear:
        assert post(ear.url) == 302
        assert inside.calls == 0


def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with receiver(early + OK) as ear:
        assert post(ear.url) == 200


@pytest.mark.parametrize(
    "said",
    [b"hello\r\n\r\n", b"HTTP/1.1 2", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n"],
)
def test_what_is_no_http_answer_is_refused(said: bytes) -> None:
    with receiver(said) as ear:
        assert fails(ear.url) == "no HTTP answer"


def test_of_ten_megabytes_no_more_than_one_kilobyte_is_read() -> None:
    with receiver(answer("200 OK", f"X: {'y' * 100_000}", body=b"x" * 10_000_000)) as ear:
        assert post(ear.url) == 200
    assert ear.sent < 10_000_000
    assert MAX_BYTES == 1024


# --- the time ---------------------------------------------------------------------------------------


def test_three_seconds_in_all() -> None:
    assert TOTAL_S == 3
    with receiver(SILENCE) as ear:
        begun = time.monotonic()
        with pytest.raises(OutsideError, match="timed out"):
            Poster(loopback=True)(ear.url, b"", FORM)
        assert 2.8 < time.monotonic() - begun < 5


def test_silence_ends() -> None:
    with receiver(SILENCE) as ear:
        assert fails(ear.url, 0.4) == "timed out"


@contextmanager
def dripping(byte: bytes) -> Iterator[str]:
    """A server that sends that byte ten times a second, so that no single wait is long."""
    over = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            while not over.wait(0.1):
                try:
                    connection.send(byte)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"//127.0.0.1:{listener.getsockname()[1]}/logout"
        finally:
            over.set()
            thread.join()


def test_an_answer_in_drops_ends() -> None:
    with dripping(b"H") as url:
        assert fails(f"http:{url}", 0.5) == "timed out"


def test_a_handshake_in_drops_ends() -> None:
    with dripping(b"\x16") as url:
        assert fails(f"https:{url}", 0.5) in ("timed out", "TLS failed")


def test_a_handshake_that_is_not_answered_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert fails(f"https://127.0.0.1:{listener.getsockname()[1]}/", 0.4) == "timed out"


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert fails(f"http://127.0.0.1:{port}/") == "not reached"


def test_a_slow_resolver_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: over.wait(5) and [])
    try:
        assert fails("https://rp.example.go.kr/logout", 0.3) == "timed out"
    finally:
        over.set()


def test_a_name_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert fails("https://rp.example.go.kr/logout") == "not reached"


# --- the address ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address that means this machine
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "192.0.2.1",
        "240.0.0.1",
    ],
)
def test_a238_addresses_where_no_relying_party_is(address: str) -> None:
    assert not is_allowed(ip_address(address), loopback=False)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.1.1", "fd12::1", "8.8.8.8", "2001:4860::1"],
)
def test_agencies_live_on_private_networks(address: str) -> None:
    assert is_allowed(ip_address(address), loopback=False)


def test_loopback_is_for_the_demo() -> None:
    assert is_allowed(ip_address("127.0.0.1"), loopback=True)
    assert is_allowed(ip_address("::1"), loopback=True)
    assert not is_allowed(ip_address("169.254.169.254"), loopback=True)
    with canary() as inside:
        assert fails(inside.url, loopback=False) == "address not allowed"
        assert fails(inside.url.replace("http:", "https:"), loopback=False) == "address not allowed"
        assert inside.calls == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "http://rp.example.go.kr/",
        "https://who@127.0.0.1/",
        "https://127.0.0.1/#a",
        "https:///",
        "file:///etc/passwd",
        "https://127.0.0.1/a b",
    ],
)
def test_what_could_not_be_registered_is_not_called(url: str) -> None:
    assert fails(url) == "address not allowed"


def test_the_address_that_was_checked_is_called_and_the_name_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is public at first and ours at the second look gains nothing."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, port: int, *arguments: object, **options: object) -> object:
        if host != "localhost":
            return real(host, port, *arguments, **options)  # type: ignore[arg-type]
        asked.append(host)
        found = "169.254.169.254" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    with canary() as inside:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        assert fails(inside.url.replace("127.0.0.1", "localhost")) == "address not allowed"
        assert (inside.calls, len(asked)) == (0, 1)


# --- TLS --------------------------------------------------------------------------------------------


@contextmanager
def over_tls(folder: Path) -> Iterator[int]:
    """A server with a certificate for localhost by an authority of its own; gives its port."""
    tls = authority.ensure(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate_file, tls.key_file)

    def serve() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(OK)
        except OSError:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_certificate_is_checked_against_the_authorities_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with over_tls(tmp_path) as port:
        assert fails(f"https://localhost:{port}/") == "TLS failed"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ensure(tmp_path, "localhost").ca_file))
    with over_tls(tmp_path) as port:
        assert post(f"https://localhost:{port}/") == 200
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [here])
    with over_tls(tmp_path) as port:
        assert fails(f"https://another.example.go.kr:{port}/") == "TLS failed"


# --- the person -------------------------------------------------------------------------------------


def party(**changed: str) -> RelyingParty:
    uris = {"redirect_uris": ("https://mail.example.go.kr/callback",)}
    return RelyingParty("mail", "메일", "Mail", **{**uris, **changed})  # type: ignore[arg-type]


def test_sub_is_one_person_at_one_sector() -> None:
    secret = b"s" * 32
    mine = pairwise(secret, party(), "person")
    assert len(mine) == 43
    assert pairwise(secret, party(), "person") == mine
    others = (
        pairwise(secret, party(), "another"),
        pairwise(secret, party(sector="other.example.go.kr"), "person"),
        pairwise(b"t" * 32, party(), "person"),
    )
    assert mine not in others
    assert sector_of(party()) == "mail.example.go.kr"
