"""Mail: admits officials who have a mailbox, and names it as mail servers expect.

Roundcube reads `email`; Dovecot compares the claim named by its `username_attribute` with the SASL
name, so `preferred_username` is the mail address, in lower case, as mailboxes are named.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from idp.contracts import JsonObject, Kit, Official, RelyingPartyAdapter
from idp.errors import AccessDenied
from idp.events import Reason

Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]


class MailSettings(BaseModel):
    """`kind = "mail"`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domains: tuple[Domain, ...] = Field(
        (), description="mailboxes of these domains only; none listed means any"
    )

    def open(self, kit: Kit) -> RelyingPartyAdapter:  # noqa: ARG002 - the contract's signature
        """The adapter."""
        return Mail(frozenset(self.domains))


@dataclass(frozen=True, slots=True)
class Mail:
    """Fulfils `contracts.RelyingPartyAdapter`."""

    domains: frozenset[str]

    def admit(self, official: Official) -> None:
        """AccessDenied(NOT_ADMITTED) without a mailbox in one of the domains."""
        local, at, domain = official.mail.lower().rpartition("@")
        if not local or not at or not domain or "@" in local:
            raise AccessDenied("no mailbox", reason=Reason.NOT_ADMITTED)
        if self.domains and domain not in self.domains:
            raise AccessDenied("mailbox of another domain", reason=Reason.NOT_ADMITTED)

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:
        """The mailbox as a login name, for who may know the address."""
        if "email" not in scope or not official.mail:
            return {}
        return {"preferred_username": official.mail.lower()}
