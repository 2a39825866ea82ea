"""Who may act now: the account gate, the register of mobile IDs, and what a cut-off closes.

A change of a mobile ID is one transaction: it locks the person's row first, so that two issuances,
or an issuance and a loss report, happen one after the other whatever the isolation level; then it
changes rows; its events come last, since the journal's lock is the last that anyone takes.
The directory is asked before the transaction, never inside it.
"""

from idp.cutoff.account_gate import gate, must_be_live, passkey_must_be_live
from idp.cutoff.register import Cutoff
from idp.cutoff.rows import STATUS_LIST_SIZE, end_sessions, is_stale_offer

__all__ = [
    "STATUS_LIST_SIZE",
    "Cutoff",
    "end_sessions",
    "gate",
    "is_stale_offer",
    "must_be_live",
    "passkey_must_be_live",
]
