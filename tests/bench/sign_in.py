"""A whole sign-in by QR across two devices: desk, wallet, phone, relying party."""

import statistics

from tests.attacks.holder import Held, fetched
from tests.bench import cpu
from tests.bench.contenders import Contender
from tests.bench.ours import PERSON
from tests.bench.rounds import Cost, Size
from tests.bench.wire import Unexpected
from tests.desk import ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider

POLLS = 4  # about ten seconds of a person's time, one poll every two; more when the phone is there
WANTED_MS = 8.0


def row(ours: Contender, provider: Provider, stores: list[int], size: Size) -> str:
    """The row of the table for this journey."""
    held = Held.receive(provider, PERSON)
    cost = Cost()
    for number in range(size.rounds + 1):
        times = max(1, size.repetitions // 10)
        before, before_stores = cpu.seconds(ours.pid), sum(map(cpu.seconds, stores))
        for _ in range(times):
            once(provider, held)
        if number:
            cost.server.append((cpu.seconds(ours.pid) - before) * 1000 / times)
            spent = sum(map(cpu.seconds, stores)) - before_stores
            cost.stores.append(spent * 1000 / times)
    least, most = cost.spread
    told = f"{cost.median:.2f} | {least:.2f} to {most:.2f} |  |  |  | {WANTED_MS:.0f} ms"
    return f"| whole QR sign-in | {told} | {statistics.median(cost.stores):.3f} |"


def once(provider: Provider, held: Held) -> None:
    """From the button to the tokens."""
    with Desk(provider, party="mail") as desk, Phone(provider) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        for _ in range(POLLS):
            desk.status()
        redirect_uri = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
        code = phone.return_code(redirect_uri)
        desk.wait_for("proved")
        answered = desk.answered(desk.type_return_code(code))
        tokens = desk.redeem(answered["code"])
        if tokens.status_code != 200:
            raise Unexpected(tokens.text)
