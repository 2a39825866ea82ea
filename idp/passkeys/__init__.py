"""The register of passkeys: whose they are, what they are called, whether they still count.

What a passkey proves is the method's business (`contracts.BrowserMethod`); this keeps it (SQL). Each
change locks the owner's row first and writes its event in the same transaction: a limit holds however
many come at once, and whoever sees a passkey gone finds its sessions ended.
"""

from idp.passkeys.register import PasskeyRegister
from idp.passkeys.rows import Seen

__all__ = ["PasskeyRegister", "Seen"]
