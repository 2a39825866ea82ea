"""The assertion of a passkey: the one POST in which it is verified and the session made."""

import statistics

from tests.attacks.holder import Held
from tests.bench import cpu
from tests.bench.contenders import Contender
from tests.bench.ours import PERSON
from tests.bench.rounds import Cost, Size
from tests.bench.wire import Unexpected, Wire
from tests.fakes.security_key import form
from tests.passkeys import Seat, options
from tests.provider import Provider

Post = tuple[str, dict[str, str], str]  # path, form, cookies


def row(ours: Contender, provider: Provider, stores: list[int], size: Size) -> str:
    """The row of the table; pages are fetched and answers signed before it is measured."""
    held = Held.receive(provider, PERSON)
    cost = Cost()
    with Seat(provider) as owner, Wire(ours.port) as wire:
        owner.to_account(held)
        owner.enrol()
        for number in range(size.rounds + 1):
            posts = [_answer(provider, owner) for _ in range(max(1, size.repetitions // 5))]
            before, before_stores = cpu.seconds(ours.pid), sum(map(cpu.seconds, stores))
            for path, fields, cookies in posts:
                answer = wire.post(path, fields, 303, Cookie=cookies)
                if not answer.location.startswith("/oauth/authorize"):
                    raise Unexpected(answer.location)
            if number:  # the first round only warms up
                spent = sum(map(cpu.seconds, stores)) - before_stores
                cost.server.append((cpu.seconds(ours.pid) - before) * 1000 / len(posts))
                cost.stores.append(spent * 1000 / len(posts))
    least, most = cost.spread
    told = f"{cost.median:.2f} | {least:.2f} to {most:.2f} |  |  |  | "
    return f"| passkey assertion | {told} | {statistics.median(cost.stores):.3f} |"


def _answer(provider: Provider, owner: Seat) -> Post:
    """A login in a browser of its own, with the answer to its challenge."""
    with Seat(provider, party="mail") as seat:
        seat.key = owner.key
        seat.begin()
        fields = {"csrf": seat.csrf, **form(seat.key.get(options(seat.page)))}
        cookies = "; ".join(f"{name}={value}" for name, value in seat.client.cookies.items())
        return f"{seat.login}/answer", fields, cookies
