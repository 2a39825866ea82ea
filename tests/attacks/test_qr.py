"""Attacks on a sign-in by QR as it runs, from outside (A-142, A-143, A-152 to A-159, A-163).

What a presentation itself may get wrong is in `test_qr_presentation.py`.
"""

import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.attacks.expect import is_named_error, is_refused, one_event
from tests.attacks.holder import Answer, Ask, Held, fetched
from tests.desk import Desk
from tests.provider import Provider

pytestmark = pytest.mark.services
NewDesk = Callable[..., Desk]


def test_a142_posted_twice_gets_the_same_answer_and_one_sign_in(desk: Desk, answer: Answer) -> None:
    form = answer.build()
    mark = desk.provider.last_event()
    first, second = answer.post(form), answer.post(form)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    kinds = [event["kind"] for event in desk.provider.events_after(mark)]
    assert kinds == ["login:proof:accepted"]


def test_a142_another_good_answer_comes_too_late(desk: Desk, answer: Answer) -> None:
    assert answer.post().status_code == 200
    answer.kb_payload["iat"] -= 1
    mark = desk.provider.last_event()
    is_named_error(answer.post())
    assert one_event(desk, mark)["reason"] == "login_step"


def test_a143_answer_with_the_state_of_another_login(new_desk: NewDesk, held: Held) -> None:
    one, two = new_desk(), new_desk()
    first, second = fetched(held, one.wallet_link), fetched(held, two.wallet_link)
    first.state = second.state
    assert is_refused(one, first) == "proof_state"
    assert two.status()["step"] == "scanned"


def test_a143_answer_posted_to_another_login(new_desk: NewDesk, held: Held) -> None:
    one, two = new_desk(), new_desk()
    first, second = fetched(held, one.wallet_link), fetched(held, two.wallet_link)
    assert is_refused(two, second, first.build()) in {"proof_decryption", "proof_state"}
    assert one.status()["step"] == "scanned"


def test_a163_browser_cannot_edit_the_query(new_desk: NewDesk, held: Held) -> None:
    edited = new_desk(dcql_query='{"credentials": []}', nonce="n" * 22)
    asked = fetched(held, edited.wallet_link).ask.object
    assert asked["dcql_query"]["credentials"][0]["meta"]["vct_values"]
    assert asked["nonce"] != "n" * 22
    ask = Ask(held.provider, new_desk().wallet_link)
    assert ask.get(dcql_query="{}", nonce="x", response_uri="https://evil.test/").status_code == 200
    assert ask.object["dcql_query"] == asked["dcql_query"]
    assert ask.response_uri.startswith(held.provider.issuer)


def with_frame(ask: Ask, frame: str) -> Ask:
    """The same QR's address with another frame in it."""
    own = parse_qs(urlsplit(ask.request_uri).query)["frame"][0]
    return Ask(ask.provider, ask.link.replace(own, frame))


def test_a154_error_forged_by_a_third_party(desk: Desk, answer: Answer) -> None:
    for form in (
        {"error": "access_denied"},
        {"error": "access_denied", "state": ""},
        {"error": "access_denied", "state": secrets.token_urlsafe(32)},
    ):
        assert is_refused(desk, answer, form) == "proof_state"
    assert answer.post().status_code == 200


def test_a154_many_forged_errors_are_held_back(desk: Desk, answer: Answer) -> None:
    form = {"error": "access_denied", "state": "guess"}
    statuses = [answer.post(form).status_code for _ in range(15)]
    assert statuses[0] == 400
    assert statuses[-1] == 429
    assert desk.status()["step"] == "scanned"


def test_a156_old_frame(desk: Desk) -> None:
    ask = Ask(desk.provider, desk.wallet_link)
    time.sleep(12.5)
    mark = desk.provider.last_event()
    is_named_error(ask.get())
    event = one_event(desk, mark)
    assert (event["kind"], event["reason"]) == ("login:frame:refused", "frame_old")
    assert desk.status()["step"] == "waiting"
    assert Ask(desk.provider, desk.reload().wallet_link).get().status_code == 200


def test_a156_former_qr(desk: Desk) -> None:
    former = Ask(desk.provider, desk.wallet_link)
    desk.post(f"{desk.login}/mobile_id")
    is_named_error(former.get(), 404)
    assert desk.status()["step"] == "waiting"


def test_a156_qr_of_a_finished_login(desk: Desk, answer: Answer) -> None:
    desk.get(answer.post().json()["redirect_uri"])
    mark = desk.provider.last_event()
    is_named_error(answer.ask.get())
    assert one_event(desk, mark)["reason"] == "login_step"


def test_a157_another_frame_after_the_first(desk: Desk) -> None:
    first = Ask(desk.provider, desk.wallet_link)
    time.sleep(1.1)
    second = Ask(desk.provider, desk.reload().wallet_link)
    assert first.request_uri != second.request_uri
    assert first.get().status_code == 200
    mark = desk.provider.last_event()
    is_named_error(second.get())
    event = one_event(desk, mark)
    assert (event["kind"], event["reason"]) == ("login:frame:refused", "frame_not_pinned")
    assert first.get().status_code == 200


def test_a157_same_address_answers_again_by_either_method(desk: Desk, held: Held) -> None:
    ask = Ask(desk.provider, desk.wallet_link)
    nonces = set()
    for method in ("POST", "GET", "POST"):
        assert ask.get(method).status_code == 200
        nonces.add(ask.object["nonce"])
    assert len(nonces) == 1
    assert Answer(held, ask).post().status_code == 200


def test_a157_guessed_frames(desk: Desk) -> None:
    ask = Ask(desk.provider, desk.wallet_link)
    for frame in ("", "x", "000", "999" + "A" * 16, f"001{secrets.token_urlsafe(12)}", "0" * 5000):
        mark = desk.provider.last_event()
        is_named_error(with_frame(ask, frame).get())
        assert one_event(desk, mark)["reason"] == "frame_forged"
    assert desk.status()["step"] == "waiting"
    assert ask.get().status_code == 200


def test_a157_guessed_handles(demo: Provider) -> None:
    with demo.client() as client:
        for handle in ("x", secrets.token_urlsafe(16), "A" * 5000, "%00", "..%2f.."):
            for path in (f"/vp/{handle}/request?frame=000", f"/vp/{handle}/response"):
                assert client.post(path, data={"response": "x"}).status_code in {400, 404, 414}


def test_a157_wallet_nonce_is_echoed_and_absent_when_not_sent(desk: Desk) -> None:
    ask = Ask(desk.provider, desk.wallet_link)
    assert ask.get(wallet_nonce="n" * 43).status_code == 200
    assert ask.object["wallet_nonce"] == "n" * 43
    assert ask.get(vp_formats_supported="{}", client_id_prefixes_supported="[]").status_code == 200
    assert "wallet_nonce" not in ask.object


def test_a157_large_wallet_metadata(desk: Desk) -> None:
    ask = Ask(desk.provider, desk.wallet_link)
    is_named_error(ask.get(wallet_metadata="x" * 1_000_000), 413)
    deep = "[" * 3000 + "]" * 3000
    assert ask.get(wallet_metadata=deep).status_code in {200, 400}
    assert ask.get().status_code == 200
