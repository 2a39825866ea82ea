"""Every reason has a page with a title, one step and a stable code, in both languages."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.events import Reason
from idp.web import words
from idp.web.reasons import WORDS
from tests.fakes.html import show
from tests.fakes.pages import create_pages_app


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_pages_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_page(client: FlaskClient, reason: Reason, lang: str) -> None:
    page = show(client, f"/reason/{reason.value}", lang)
    title = page.all("h1")[0]["text"]
    step = page.all("p", **{"class": "lead"})[0]["text"]
    assert title
    assert step
    assert title != step
    assert bool(re.search("[가-힣]", title)) is (lang == "ko")
    assert bool(re.search("[가-힣]", step)) is (lang == "ko")
    assert WORDS[reason].code in page.html


def test_codes_are_stable_and_tell_reasons_apart() -> None:
    assert set(WORDS) == set(Reason)
    codes: dict[str, set[Reason]] = {}
    for reason, found in WORDS.items():
        assert re.fullmatch(r"G-[1-7]\d\d", found.code)
        codes.setdefault(found.code, set()).add(reason)
    shared = {frozenset(reasons) for reasons in codes.values() if len(reasons) > 1}
    assert shared == {
        frozenset({Reason.CLIENT_UNKNOWN, Reason.CLIENT_DISABLED}),
        frozenset({Reason.LOGIN_UNKNOWN, Reason.OTHER_BROWSER}),
    }
    assert WORDS[Reason.GRANT_REPLAYED].code == "G-217"
    assert WORDS[Reason.PERSON_RETIRED].code == "G-503"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Reason.CLIENT_UNKNOWN, Reason.CLIENT_DISABLED),
        (Reason.LOGIN_UNKNOWN, Reason.OTHER_BROWSER),
    ],
)
def test_what_a_stranger_must_not_tell_apart_reads_the_same(
    client: FlaskClient, one: Reason, other: Reason
) -> None:
    pages = [show(client, f"/reason/{reason.value}").html for reason in (one, other)]
    assert pages[0].replace(one.value, "") == pages[1].replace(other.value, "")


def test_a_reason_we_do_not_know_is_a_fault_of_ours(app: Flask) -> None:
    with app.test_request_context("/"):
        assert words.reason_text("made_up") == words.reason_text("internal")
        assert words.reason_code("made_up") == "G-101"


def test_problem_pages_give_one_step_and_a_reference(client: FlaskClient) -> None:
    page = show(client, "problem")
    assert "G-503" in page.html
    assert "aB3-_x9Q" in page.html
    assert "044-205-1234" in page.html
    assert show(client, "problem-again").all("a", href="/login/x/again")
    missing = show(client, "problem-missing", "en")
    assert missing.all("h1")[0]["text"] == "There is no page here"
