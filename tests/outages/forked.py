"""A provider that can be killed and is back at once: its code is loaded once, each life is a fork.

`python -m tests.outages.forked <configuration>` answers each line on stdin with the process id of a new
life, a process group of its own that runs what `gongmu serve` runs, with one worker.
"""

import os
import sys
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import granian  # noqa: F401 - loaded once, for every life

from idp import conf_file, embedded, logs
from idp.serve import run, wsgi


def live(path: Path) -> None:
    """One life: until killed."""
    os.setsid()
    embedded.die_with_parent()
    settings = conf_file.load(path)
    logs.configure(settings.log_level)
    server = settings.server.model_copy(update={"workers": 1})
    run(server, settings.log_level, partial(wsgi, str(path)))


def main(path: Path) -> None:
    """Wait to be asked; the former life is over by then."""
    for group in ("idp.methods", "idp.sites", "idp.directories", "idp.relying_parties"):
        for point in entry_points(group=group):
            point.load()
    former = 0
    for _line in sys.stdin:
        if former:
            os.waitpid(former, 0)
        former = os.fork()
        if not former:
            live(path)
            os._exit(0)
        print(former, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
