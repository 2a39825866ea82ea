"""A desk: the pages behind a real server, Chromium before them, and a status that tests can set."""

import io
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zxingcpp
from flask import Response
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from idp import qr
from tests.fakes.pages import LINK, create_pages_app, qr_bits, qr_link

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-dev-shm-usage"]


class Desk:
    """What the status address answers, settable while the page is open."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.began = time.monotonic()
        self.polls = 0
        self.fault = 0
        self.fixed: dict[str, Any] | None = None
        self.frames = range(4)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def answer(self) -> dict[str, Any] | Response:
        self.polls += 1
        if self.fault:
            return Response("{}", self.fault)
        if self.fixed is not None:
            return {"reason": None, "next": None, **self.fixed}
        first = int(self.elapsed_s())
        drawn = {first + ahead: qr_bits(first + ahead) for ahead in self.frames}
        return {
            "step": "waiting",
            "reason": None,
            "next": None,
            "size": qr_bits(0)[1],
            "elapsed_ms": int(self.elapsed_s() * 1000),
            "frames": [
                {"second": second, "bits": qr.encode(*bits)} for second, bits in drawn.items()
            ],
            "links": [qr_link(first), f"/wallet/present?{qr_link(first).split('?')[1]}"],
        }


@contextmanager
def serve_pages(desk: Desk) -> Iterator[str]:
    """The sample pages at an address of this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, create_pages_app(status=desk.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A Chromium of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def attentive_page(context: BrowserContext) -> Iterator[Page]:
    """A page whose every complaint (script errors, CSP violations) fails the test.

    Answers that a test asked for are no complaints: 503, 404 and the browser's own favicon.
    """
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    asked_for = ("status of 503", "status of 404")
    assert [told for told in complaints if not any(word in told for word in asked_for)] == []


def decode(page: Page) -> str:
    """What a camera would read from the screen."""
    picture = Image.open(io.BytesIO(page.locator("#qr").screenshot())).convert("L")
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return found[0].text if found else ""


def second_of(text: str) -> int:
    head = LINK.split("~~~")[0]
    assert text.startswith(head)
    return int(text[len(head) :][:3])
