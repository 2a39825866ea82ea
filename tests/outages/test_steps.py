"""A store or the directory fails before each step of a sign-in (F-03 to F-07, I-7).

The answer is a clean 503 in time, or the step did not need what failed. Never a 500, never a success
with a check left out; and once the system is back, so is Gongmu, by itself.
"""

import time

import pytest

from tests.outages.journey import (
    AUTHORIZE,
    CODE,
    FINISH,
    PAGE,
    POLL,
    REFRESH,
    REQUEST,
    RESPONSE,
    RETURN,
    STEPS,
    TOKEN,
    USERINFO,
)
from tests.outages.proxy import Fault
from tests.outages.stack import BOUND_S, Stack

pytestmark = pytest.mark.services
# What a step cannot do without. Steps beside these may be answered (a poll needs no SQL).
NEEDED = {
    "redis": {AUTHORIZE, PAGE, POLL, REQUEST, RESPONSE, RETURN, FINISH, CODE, TOKEN, REFRESH},
    "sql": {PAGE, REQUEST, RESPONSE, RETURN, FINISH, CODE, TOKEN, USERINFO, REFRESH},
    "esaram": {RESPONSE, FINISH, CODE, TOKEN, USERINFO, REFRESH},
}
# The faults that cost time, where they may do harm.
SELECTED = {
    "redis": (POLL, RESPONSE, FINISH, TOKEN),
    "sql": (RESPONSE, FINISH, TOKEN),
    "esaram": (RESPONSE, FINISH, USERINFO),
}
SLOW_FAULTS = (Fault.HALF_OPEN, Fault.RESET, Fault.DRIP)
CELLS = [(system, Fault.STOPPED, step) for system in NEEDED for step in STEPS]
CELLS += [(system, Fault.SLOW, RESPONSE) for system in NEEDED]  # much like half-open
CELLS += [
    (system, fault, step)
    for system, steps in SELECTED.items()
    for fault in SLOW_FAULTS
    for step in steps
]


@pytest.mark.parametrize(("system", "fault", "step"), CELLS)
def test_a_step_without_a_system(restored: Stack, system: str, fault: Fault, step: str) -> None:
    with restored.journey_until(step) as journey:
        with restored.broken(system, fault):
            began = time.monotonic()
            answer = journey.step(step)
            seconds = time.monotonic() - began
        assert seconds < BOUND_S, f"{seconds:.1f} s"
        if step in NEEDED[system] or answer.status_code not in (200, 303):
            restored.is_clean(answer)
