"""`python -m tests.bench`: the table of docs/performance.md."""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from idp import logs
from tests.bench import operations, passkey, sign_in, waiting
from tests.bench.contenders import gongmu, peer
from tests.bench.rounds import Cost, Size, measure
from tests.bench.stores import opened

HEAD = (
    "| operation | gongmu ms | spread | peer ms | spread | ratio | wanted | stores ms |\n"
    + "|".join(["", *["---"] * 8, ""])
)


def main() -> None:
    options = _options()
    logs.configure("warning")
    size = Size(options.rounds, options.connections, options.repetitions, options.warm)
    wanted = options.only.split(",") if options.only else []
    with ExitStack() as stack:
        stores = stack.enter_context(opened())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gongmu-bench-")))
        ours, provider = stack.enter_context(gongmu(stores.redis_url, stores.sql_url, folder))
        theirs = stack.enter_context(peer(stores.redis_url))
        if options.waiting:
            _say(waiting.run(ours, provider, stores.pids, options.waiting, options.seconds))
            return
        _say(HEAD)
        for operation in operations.ALL:
            if wanted and operation.name not in wanted:
                continue
            contenders = [ours] if operation.only_ours else [ours, theirs]
            costs = measure(operation, contenders, stores.pids, size)
            _say(_row(operation, costs))
        if not wanted or "passkey" in wanted:
            _say(passkey.row(ours, provider, stores.pids, size))
        if not wanted or "sign-in" in wanted:
            _say(sign_in.row(ours, provider, stores.pids, size))


def _say(line: object) -> None:
    print(line, flush=True)  # noqa: T201 - the output of this command


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests.bench")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=50, help="on each connection, a round")
    parser.add_argument("--warm", type=int, default=150, help="repetitions before the first round")
    parser.add_argument("--only", help="names of operations, with commas")
    parser.add_argument("--waiting", type=int, help="so many browsers that poll every two seconds")
    parser.add_argument("--seconds", type=int, default=20, help="for how long they poll")
    return parser.parse_args()


def _row(operation: operations.Operation, costs: dict[str, Cost]) -> str:
    ours = costs["gongmu"]
    told = [operation.name, *_figures(ours)]
    if "peer" in costs:
        told += [*_figures(costs["peer"]), f"{ours.median / costs['peer'].median:.2f}"]
    else:
        told += ["", "", ""]
    told += [f"{operation.target:.1f}" if operation.target else ""]
    return f"| {' | '.join([*told, f'{statistics.median(ours.stores):.3f}'])} |"


def _figures(cost: Cost) -> list[str]:
    least, most = cost.spread
    return [f"{cost.median:.3f}", f"{least:.3f} to {most:.3f}"]


if __name__ == "__main__":
    main()
