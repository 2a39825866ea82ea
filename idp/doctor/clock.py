"""The clock, against those of the stores: tokens, frames and status lists live by seconds."""

from datetime import datetime

from idp.doctor.finding import Finding, fix, ok, warn

WARN_S = 1.0
FIX_S = 5.0


def compare(whose: str, theirs: datetime, before: datetime, after: datetime) -> Finding:
    """Their time, asked between two moments of ours; the way there and back is not held against it."""
    off_s = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    found = f"{off_s:.1f} s apart from {whose}"
    remedy = "let both hosts keep time with the same servers (chrony), then: chronyc tracking"
    if off_s > FIX_S:
        return fix("clock", found, remedy)
    if off_s > WARN_S:
        return warn("clock", found, remedy)
    return ok("clock", found)
