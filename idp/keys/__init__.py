"""The one signing and sealing boundary: a use goes in, a signature comes out (D-9).

    sealing.py       the key-encryption key; AES-256-GCM with use and kid as associated data
    signer.py        one private key: makes it, names it (RFC 7638), writes compact JWS
    certificates.py  root -> leaf for verifier and issuer (HAIP §5: the root is left out of x5c)
    register.py      the rows in SQL: one writer at a time, an event with every change
    maker.py         what a whole set is; makes what is missing of it
    ring.py          `KeyRing`: what a process holds of them, and who signs now

States: next (published, not used), active, retired (published while its signatures live),
withdrawn (gone at once: a key that others may know).
"""

from idp.keys.ring import KeyRing
from idp.keys.sealing import make_key_encryption_key

__all__ = ["KeyRing", "make_key_encryption_key"]
