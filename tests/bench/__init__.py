"""The bench: what a request costs the server, beside a well-known peer on the same machine.

`python -m tests.bench` starts real Redis and PostgreSQL, Gongmu on granian and oidc-provider on Node,
one worker each, and drives both through the same operations in turns (`rounds.py`). The figure is
processor time of the server's own processes as the kernel counts it (`cpu.py`), never a clock on
the wall, so that a busy machine disturbs both alike. `waiting.py` lets 10,000 browsers poll.
docs/performance.md tells the results.
"""
