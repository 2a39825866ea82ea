"""Passkeys as a way to sign in: WebAuthn Level 3, on the `fido2` library.

`Fido2Settings` is the table `[methods.fido2]`; `open` builds the method. How it goes:

1. `begin` and `begin_enrolment` say what the browser is asked (`options.py`). The challenge is the attempt's
   nonce; the core keeps it, bound to the browser, and lets it be answered once.
2. `complete_enrolment` verifies a registration (`registration.py`), `complete` a sign-in (`assertion.py`):
   `credential.py` takes the answer apart, `client_data.py` checks what the browser says,
   `authenticator_data.py` what the authenticator says, `keys.py` the key and its signatures.
3. `attestation.py` decides who vouches for an authenticator: the library verifies the statement's format
   (`android_key.py` one that it has not), `chain.py` the way to a root, `metadata.py` reads what the FIDO
   Alliance tells of models.
4. `record.py` is what the core keeps of a passkey. All read through `strict.py`, which is strict.

What the library leaves to its caller (origins exactly, frames, flags, counters, owners, algorithms, single
use) is done here; of it are used the keys' signatures and the verifiers of attestation formats.
"""

from idp_fido2.method import Fido2Method
from idp_fido2.settings import Fido2Settings

__all__ = ["Fido2Method", "Fido2Settings"]
