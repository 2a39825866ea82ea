"""The expectations that every attack shares: E1, E3, E4 of the catalogue."""

from collections.abc import Callable, Iterable
from typing import Any

import httpx

from tests.attacks.holder import Answer, Held, fetched
from tests.desk import Desk

Spoil = Callable[[Answer], None]


def is_named_error(answer: httpx.Response, status: int = 400) -> None:
    """E1: a named error as JSON that nobody may store, never a trace, never a way on."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/json", answer.text
    assert "no-store" in answer.headers["cache-control"]
    body = answer.json()
    assert body["error"]
    assert "redirect_uri" not in body
    assert "Traceback" not in answer.text


def one_event(desk: Desk, mark: str) -> dict[str, Any]:
    """E4: exactly one event since the mark."""
    seen = desk.provider.events_after(mark)
    assert len(seen) == 1, [(event["kind"], event["reason"]) for event in seen]
    return seen[0]


def is_refused(desk: Desk, answer: Answer, form: dict[str, str] | None = None) -> str:
    """Send a spoilt answer: 400, the login waits as before, one event. Gives the event's reason."""
    mark = desk.provider.last_event()
    sent = answer.build() if form is None else form
    is_named_error(answer.post(sent))
    event = one_event(desk, mark)
    assert event["kind"] == "login:proof:rejected"
    assert (sent.get("response") or "none sent") not in str(event)
    assert desk.status()["step"] == "scanned"
    return str(event["reason"])


def each_refused(
    new_desk: Callable[..., Desk], held: Held, spoils: Iterable[tuple[str, Spoil]], *reasons: str
) -> None:
    """Each spoil of a good answer, at a desk of its own, is refused for one of these reasons."""
    for name, spoil in spoils:
        desk = new_desk()
        answer = fetched(held, desk.wallet_link)
        spoil(answer)
        reason = is_refused(desk, answer)
        assert reason in reasons, f"{name}: {reason}"
