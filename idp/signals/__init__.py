"""What others must be told, kept in SQL until it is told: the durable outbox (design sections 3 and 7).

    a session ends (sessions.py, cutoff/)     one SQL transaction: the session, its event, and
      └ announce_end                          a letter per relying party that had a grant in it
    Courier (one daemon thread per process)   hears of it, or looks each second; claims one letter
      │                                       at a time, so that all workers share the work
      ├ a thread per letter: Logout.deliver   logout token by guarded POST, 3 s in all
      └ settle                                done, due again later, or failed; its event with it

A claim is a lease: it moves `due_at` on, so a letter whose worker died is due again by itself. Every
letter is delivered at least once, usually once. Another kind of letter is another `Handler`.
"""

from idp.signals.courier import Chore, Courier, Handler, Pace
from idp.signals.logout import Logout
from idp.signals.outbox import Letter, announce_end
from idp.signals.posting import Poster

__all__ = ["Chore", "Courier", "Handler", "Letter", "Logout", "Pace", "Poster", "announce_end"]
