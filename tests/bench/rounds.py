"""Rounds in turns: a little of each server, then again, so that a busy machine disturbs both alike."""

import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.bench import cpu
from tests.bench.contenders import Contender
from tests.bench.operations import Once, Operation
from tests.bench.wire import Wire


@dataclass(frozen=True, slots=True)
class Size:
    """How much: rounds, connections at once, repetitions on each connection."""

    rounds: int = 5
    connections: int = 4
    repetitions: int = 60
    warm: int = (
        150  # repetitions on each connection before the first round: the peer's compiler needs them
    )


@dataclass
class Cost:
    """Milliseconds of processor time per operation, one figure a round."""

    server: list[float] = field(default_factory=list)
    stores: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.server)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.server), max(self.server)


def measure(
    operation: Operation, contenders: list[Contender], stores: list[int], size: Size
) -> dict[str, Cost]:
    """What the operation costs each contender; `stores` are the processes of Redis and SQL."""
    costs = {server.name: Cost() for server in contenders}
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(size.connections))
        wires = {
            server.name: [stack.enter_context(Wire(server.port)) for _ in range(size.connections)]
            for server in contenders
        }
        for number in range(size.rounds + 1):
            for server in contenders:
                made = [operation.prepare(server, wire) for wire in wires[server.name]]
                times = size.repetitions if number else size.warm
                before, before_stores = cpu.seconds(server.pid), _of(stores)
                for done in [pool.submit(_repeat, once, times) for once in made]:
                    done.result()
                count = times * len(made)
                if number:  # the first round only warms up
                    spent = cpu.seconds(server.pid) - before
                    costs[server.name].server.append(spent * 1000 / count)
                    costs[server.name].stores.append((_of(stores) - before_stores) * 1000 / count)
    return costs


def _of(stores: list[int]) -> float:
    return sum(cpu.seconds(pid) for pid in stores)


def _repeat(once: Once, times: int) -> None:
    for _ in range(times):
        once()
