"""Slow bodies take some threads, never all; chunked bodies are as long as they are."""

import threading
from io import BytesIO
from typing import Any

import pytest

from idp import bodies


class SlowInput:
    """A body that does not come until it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def read(self, _size: int) -> bytes:
        self.asked.set()
        self.let_go.wait(10)
        return b"late"


def ask(application: bodies.Application, address: str = "10.0.0.1", **changes: Any) -> str:
    """The status an ask gets."""
    told: list[str] = []
    environ = {"REMOTE_ADDR": address, "REQUEST_METHOD": "POST", **changes}
    for _ in application(environ, lambda status, _headers: told.append(status)):
        pass
    return told[0]


def answer(environ: bodies.Environ, start_response: bodies.StartResponse) -> list[bytes]:
    body = environ["wsgi.input"].read() if "wsgi.input" in environ else b""
    start_response(f"200 {len(body)} {environ.get('CONTENT_LENGTH')}", [])
    return [b""]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.1)


def hold(application: bodies.Application, address: str) -> SlowInput:
    slow = SlowInput()
    changes = {"CONTENT_LENGTH": "4", "wsgi.input": slow}
    threading.Thread(target=ask, args=(application, address), kwargs=changes, daemon=True).start()
    assert slow.asked.wait(5)
    return slow


def test_one_address_takes_half_and_others_still_read() -> None:
    guarded = bodies.guard(answer, threads=6)
    held = [hold(guarded, "10.0.0.66") for _ in range(2)]
    body = {"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"ab")}
    assert ask(guarded, "10.0.0.66", **body).startswith("503")
    assert ask(guarded, "10.0.0.1", **body) == "200 2 2"
    for slow in held:
        slow.let_go.set()


def test_all_places_taken_leaves_requests_without_a_body_alone() -> None:
    guarded = bodies.guard(answer, threads=4)
    held = [hold(guarded, f"10.0.0.{n}") for n in range(2)]
    body = {"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"ab")}
    assert ask(guarded, "10.0.0.9", **body).startswith("503")
    assert ask(guarded, "10.0.0.9").startswith("200")
    for slow in held:
        slow.let_go.set()


def test_a_place_comes_free() -> None:
    guarded = bodies.guard(answer, threads=3)
    hold(guarded, "10.0.0.66").let_go.set()
    body = {"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"ab")}
    assert ask(guarded, "10.0.0.66", **body) == "200 2 2"


def test_a_chunked_body_gets_its_length() -> None:
    guarded = bodies.guard(answer, threads=4)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BytesIO(b"x" * 70_000)}
    assert ask(guarded, **chunked) == "200 70000 70000"


def test_a_body_without_end_is_refused() -> None:
    guarded = bodies.guard(answer, threads=4)
    endless = BytesIO(b"x" * (bodies.MAX_BODY + 5))
    assert ask(guarded, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input": endless}).startswith(
        "413"
    )
