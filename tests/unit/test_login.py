"""The login state machine."""

from datetime import UTC, datetime, timedelta

import pytest

from idp import frames, login, logins
from idp.contracts import Identifier, Proof
from idp.errors import LoginNotFound, ProofRejected
from idp.events import Reason
from tests.fakes.short import MemoryShort

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def started() -> login.Started:
    request = login.AuthorizationRequest(
        client_id="mail",
        redirect_uri="https://mail.example/cb",
        response_mode="query",
        scope=("openid",),
        state="s",
        nonce="n",
        code_challenge="c" * 43,
    )
    ticket = login.Ticket(
        id="id",
        journey="j",
        browser_hash="b",
        request=request,
        relying_party="mail",
        required_acr="urn:gongmu:acr:2",
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=120),
    )
    return login.Started(ticket)


def waiting() -> login.Waiting:
    wire = login.Wire("mobile_id", "handle", "nonce", "secret", {}, NOW)
    return login.begin(started(), wire)


def proved() -> login.Proved:
    proof = Proof(Identifier("https://id", "1"), frozenset({"pop"}), frozenset(), NOW)
    return login.prove(waiting(), proof, login.Person("s", "esaram", "1", "홍길동"), "d")


def test_frame_answers_while_recent_and_refuses_when_old() -> None:
    state = waiting()
    frame = frames.frame(state.wire, 5)
    frames.check_frame(state, frame, NOW + timedelta(seconds=14), 10)
    with pytest.raises(ProofRejected) as caught:
        frames.check_frame(state, frame, NOW + timedelta(seconds=16), 10)
    assert caught.value.reason is Reason.FRAME_OLD


@pytest.mark.parametrize(
    "forged", ["", "005", "005AAAAAAAAAAAAAAAA", "00５xxxxxxxxxxxxxxxx", "-01x"]
)
def test_forged_frame_is_refused(forged: str) -> None:
    with pytest.raises(ProofRejected) as caught:
        frames.check_frame(waiting(), forged, NOW, 10)
    assert caught.value.reason is Reason.FRAME_FORGED


def test_pinned_frame_answers_repeatably_and_alone() -> None:
    state = waiting()
    first, other = frames.frame(state.wire, 1), frames.frame(state.wire, 2)
    pinned = login.pin(state, first, "10.0.0.1")
    frames.check_frame(pinned, first, NOW + timedelta(seconds=100), 10)
    with pytest.raises(ProofRejected) as caught:
        frames.check_frame(pinned, other, NOW + timedelta(seconds=2), 10)
    assert caught.value.reason is Reason.FRAME_NOT_PINNED


def test_third_rejection_ends_the_login() -> None:
    state = login.reject(waiting())
    assert isinstance(state, login.Waiting)
    state = login.reject(state)
    assert isinstance(state, login.Waiting)
    ended = login.reject(state)
    assert isinstance(ended, login.Failed)
    assert ended.reason is Reason.TOO_MANY_REJECTIONS


def test_return_code_belongs_to_the_first_other_browser() -> None:
    shown = login.show_return_code(proved(), "phone")
    assert login.show_return_code(shown, "phone").return_code == shown.return_code
    with pytest.raises(ProofRejected):
        login.show_return_code(shown, "attacker")


def test_return_code_gives_three_tries() -> None:
    shown = login.show_return_code(proved(), "phone")
    wrong = "000000" if shown.return_code != "000000" else "111111"
    state = login.try_return_code(shown, wrong)
    assert isinstance(state, login.Proved)
    state = login.try_return_code(state, wrong)
    assert isinstance(state, login.Proved)
    assert isinstance(login.try_return_code(state, shown.return_code), login.Bound)
    assert isinstance(login.try_return_code(state, wrong), login.Failed)


def test_return_code_not_yet_shown_is_never_right() -> None:
    assert isinstance(login.try_return_code(proved(), ""), login.Proved)


def test_every_state_survives_storage() -> None:
    bound = login.bind(proved(), "same_device")
    for state in (
        started(),
        waiting(),
        proved(),
        bound,
        login.finish(bound, "sid"),
        login.fail(bound, Reason.DISOWNED),
    ):
        assert logins._ADAPTER.validate_json(logins._dump(state)) == state


def test_a_state_of_another_form_is_no_login() -> None:
    """F-13: what another version of ours wrote is begun anew, not a fault."""
    short = MemoryShort(lambda: NOW)
    kept = logins.Logins(short, lambda: NOW, 120)
    short.put("login:a", '{"step": "of another version"}', 60)
    with pytest.raises(LoginNotFound):
        kept.load_for("a", "browser")
