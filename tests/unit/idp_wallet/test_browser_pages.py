"""The wallet's pages in a real browser, as a person uses them."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.unit.idp_wallet.test_picture import png
from tests.unit.idp_wallet.world import PERSON, World, decrypted, verified

pytestmark = pytest.mark.browser
RECEIVE = re.compile(r"/wallet/receive\?credential_offer_uri=")


@pytest.fixture
def world(served_wallet: World) -> World:
    return served_wallet


@pytest.fixture
def page(phone: Page) -> Page:
    return phone


def receive(page, world):
    query = world.offer_link.partition("?")[2]
    page.goto(f"{world.base}/wallet/receive?{query}")
    page.get_by_test_id("tx-code").fill("123456")
    page.get_by_test_id("receive-submit").click()
    expect(page.get_by_test_id("card-name")).to_have_text(PERSON["name"])


def open_request(page, world):
    page.goto(f"{world.base}/wallet/present?{world.present_link.partition('?')[2]}")


def test_receive_then_the_card_is_there(page, world):
    receive(page, world)
    page.get_by_test_id("new-pin-later").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("공무원증을 받았습니다")
    page.goto(f"{world.base}/wallet")
    card = page.locator("article.card-front")
    expect(card).to_have_count(1)
    for claim in ("agency", "department", "rank", "personnel_number", "date_of_issuance"):
        expect(card).to_contain_text(PERSON[claim])
    assert card.locator("img").get_attribute("src") == PERSON["portrait"]


def test_a_reissued_card_takes_the_place_of_the_former(page, world):
    receive(page, world)
    receive(page, world)
    page.goto(f"{world.base}/wallet")
    expect(page.locator("article.card-front")).to_have_count(1)


def test_a_wrong_code_can_be_corrected(page, world):
    page.goto(f"{world.base}/wallet/receive?{world.offer_link.partition('?')[2]}")
    expect(page.locator("#issuer-name")).to_have_text("인사혁신처")
    page.get_by_test_id("tx-code").fill("12345")
    page.get_by_test_id("receive-submit").click()
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "code_shape")
    assert "token" not in world.seen
    page.get_by_test_id("tx-code").fill("000000")
    page.get_by_test_id("receive-submit").click()
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "code_refused")
    page.get_by_test_id("tx-code").fill("123456")
    page.get_by_test_id("receive-submit").click()
    expect(page.get_by_test_id("card-name")).to_be_visible()
    expect(page.get_by_test_id("wallet-error")).to_be_hidden()


def test_show_the_card_and_go_on_in_the_same_browser(page, world):
    receive(page, world)
    open_request(page, world)
    expect(page.get_by_test_id("verifier-name")).to_have_text("Gongmu sign-in")
    expect(page.get_by_test_id("asked").locator("li")).to_have_text(["공무원 번호", "이름"])
    page.get_by_test_id("present-accept").click()
    page.wait_for_url(f"{world.base}/vp/1/return?response_code=abc")
    expect(page.locator("#return-code")).to_have_text("482 915")
    answer = decrypted(world.seen["response"]["response"], world.encryption)
    (presentation,) = answer["vp_token"]["mobile_id"]
    seen = verified(presentation, world.issuer, world.verifier.client_id, world.nonce)
    assert seen["personnel_number"] == PERSON["personnel_number"]
    assert "portrait" not in seen
    assert answer["state"] == "state-of-this-login-0123"


def test_decline_is_as_large_as_accept_and_sends_nothing(page, world):
    receive(page, world)
    open_request(page, world)
    expect(page.get_by_test_id("present-accept")).to_be_visible()
    accept = page.get_by_test_id("present-accept").bounding_box()
    decline = page.get_by_test_id("present-decline").bounding_box()
    assert (accept["width"], accept["height"]) == (decline["width"], decline["height"])
    assert accept["height"] >= 44
    page.get_by_test_id("present-decline").click()
    expect(page.get_by_test_id("present-declined")).to_be_visible()
    answer = decrypted(world.seen["response"]["response"], world.encryption)
    assert answer["error"] == "access_denied"
    assert "vp_token" not in answer


def test_plain_answers_too(page, world):
    receive(page, world)
    world.request = {"response_mode": "direct_post"}
    open_request(page, world)
    page.get_by_test_id("present-accept").click()
    expect(page).to_have_url(re.compile("/vp/1/return"))
    assert set(world.seen["response"]) == {"vp_token", "state"}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda world: world.request.update(client_id="x509_hash:other"), "request_untrusted"),
        (lambda world: world.request.update(wallet_nonce="other"), "request_untrusted"),
        (lambda world: world.header.update(typ="JWT"), "request_untrusted"),
        (lambda world: world.request.update(response_uri="https://evil.go.kr/r"), "other_site"),
        (lambda world: world.spoil.update(request_object=lambda _: "x"), "request_untrusted"),
    ],
)
def test_who_cannot_be_verified_gets_nothing(page, world, spoil, code):
    receive(page, world)
    spoil(world)
    open_request(page, world)
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", code)
    expect(page.get_by_test_id("present-accept")).to_be_hidden()
    assert "response" not in world.seen


def test_an_empty_wallet_leaves_the_request_to_another_phone(page, world):
    """Who fetches a request has the sign-in: nobody else could answer it."""
    fetched = []
    page.on("request", lambda one: fetched.append(one.url) if "request" in one.url else None)
    open_request(page, world)
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "no_card")
    assert [url for url in fetched if "/wallet/present" not in url] == []


def test_the_site_refuses_the_card(page, world):
    receive(page, world)
    said = {"error": "invalid_presentation", "error_description": "G-401 <b>\u202ewhy</b>"}
    world.answer = (400, said)
    open_request(page, world)
    page.get_by_test_id("present-accept").click()
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "answer_refused")
    expect(page.get_by_test_id("wallet-error")).to_contain_text("G-401 <b>why</b>")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://evil.go.kr/", "data:text/html,x"]
)
def test_an_unsafe_way_back_is_not_taken(page, world, address):
    receive(page, world)
    world.answer = (200, {"redirect_uri": address})
    open_request(page, world)
    page.get_by_test_id("present-accept").click()
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "answer_refused")


def test_paste_a_link(page, world):
    page.goto(f"{world.base}/wallet")
    page.get_by_test_id("paste-link").fill("hello")
    page.get_by_test_id("paste-submit").click()
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "link_unreadable")
    page.get_by_test_id("paste-link").fill(world.offer_link)
    page.get_by_test_id("paste-submit").click()
    expect(page).to_have_url(RECEIVE)
    expect(page.get_by_test_id("tx-code")).to_be_visible()


def test_photograph_a_qr_code(page, world):
    page.goto(f"{world.base}/wallet")
    picture = {"name": "qr.png", "mimeType": "image/png", "buffer": png(world.offer_link)}
    page.get_by_test_id("qr-picture").set_input_files(picture)
    expect(page).to_have_url(RECEIVE)
    page.goto(f"{world.base}/wallet")
    broken = {"name": "qr.png", "mimeType": "image/png", "buffer": b"x"}
    page.get_by_test_id("qr-picture").set_input_files(broken)
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "picture_unreadable")


def test_a_name_from_outside_is_text(page, world):
    world.spoil["metadata"] = lambda document: {
        **document,
        "display": [{"name": "<img src=x onerror=document.title='x'>"}],
    }
    page.goto(f"{world.base}/wallet/receive?{world.offer_link.partition('?')[2]}")
    expect(page.locator("#issuer-name")).to_contain_text("<img")
    assert page.locator("#issuer-name img").count() == 0


def test_a_page_that_failed_does_not_take_the_place_of_the_kept_one(page, world):
    receive(page, world)
    page.goto(f"{world.base}/wallet")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    world.seen["down"] = "/wallet"
    page.reload()
    expect(page.locator("body")).to_have_text("down")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_test_id("card-name")).to_have_text(PERSON["name"])
