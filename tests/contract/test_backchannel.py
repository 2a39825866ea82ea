"""Back-channel logout from the outbox to real receivers, good and bad (A-090, R-080)."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import select

from idp.events import Kind
from idp.signals import Pace
from idp.store.sql import transaction
from idp.store.tables import events
from idp.subjects import pairwise
from tests.contract.outbox_world import ISSUER, World, until
from tests.fakes.receiver import SILENCE, Receiver, answer, check, receiver
from tests.servers import canary

# --- back-channel logout over real HTTP -------------------------------------------------------------


@contextmanager
def parties(world: World, **answers: list[bytes]) -> Iterator[dict[str, Receiver]]:
    """Relying parties that answer so, all of them in one session that has ended."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(receiver(*given)) for name, given in answers.items()}
        for name, ear in found.items():
            world.party(name, ear.url)
        world.session("one", *found)
        yield found


def test_a090_bad_receivers_are_tried_again_and_others_are_not_delayed(world: World) -> None:
    with canary() as inside:
        redirect = answer("307 Temporary Redirect", f"Location: {inside.url}")
        big = answer("500 No", body=b"x" * 10_000_000)
        with parties(
            world,
            silent=[SILENCE] * 9,
            broken=[answer("500 No")] * 9,
            away=[redirect] * 9,
            big=[big] * 9,
            sound=[],
        ) as ears:
            pace = Pace(poll_s=0.1, retries_s=(0.05,))
            with world.courier(world.logout(total_s=2.0), pace):
                begun = time.monotonic()
                world.end("one")
                ears["sound"].wait(1)
                assert time.monotonic() - begun < 1.9
                until(lambda: sum(kind.endswith("failed") for kind, _ in world.kinds()) == 4)
        assert inside.calls == 0
    for name in ("silent", "broken", "away", "big"):
        assert len(ears[name].calls) == 2
        assert world.kinds().count(("logout:delivery:delayed", name)) == 1
    assert ears["big"].sent < 10_000_000  # of two answers; what systems buffer differs
    assert world.kinds().count(("logout:delivery:done", "sound")) == 1


def test_a_party_that_comes_back_is_told_with_a_new_token(world: World) -> None:
    with (
        parties(world, mail=[answer("503 Wait"), answer("204 No Content")]) as ears,
        world.courier(world.logout()),
    ):
        world.end("one")
        first, second = ears["mail"].wait(2)
        until(lambda: len(world.kinds()) == 2)
    [one, other] = [
        check(call.token, dict(world.keys.jwks()), ISSUER, "mail") for call in (first, second)
    ]
    assert one["jti"] != other["jti"]
    party = world.parties.get("mail")
    assert party is not None
    assert one["sub"] == pairwise(world.keys.secret("pairwise"), party, "s") == other["sub"]
    assert [kind for kind, _ in world.kinds()] == [
        "logout:delivery:delayed",
        "logout:delivery:done",
    ]


def test_events_name_the_cause_and_no_address(world: World) -> None:
    with (
        parties(world, mail=[answer("403 secret words")]) as ears,
        world.courier(world.logout(), Pace(poll_s=0.1, retries_s=())),
    ):
        world.end("one")
        until(world.kinds)
    with transaction(world.engine) as connection:
        query = select(events.c.body).where(events.c.kind == Kind.LOGOUT_FAILED.value)
        body = connection.scalars(query).one()
    told = json.loads(body)
    assert told["data"] == {"try": "1", "cause": "status 403"}
    assert (told["session"], told["journey"], told["reason"]) == ("one", "j", "outside_system")
    assert "secret" not in body
    assert ears["mail"].url not in body
