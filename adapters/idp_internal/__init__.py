"""Internal applications: any OpenID Connect client, entered by group or agency where that is wished."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from idp.contracts import JsonObject, Kit, Official, RelyingPartyAdapter
from idp.errors import AccessDenied
from idp.events import Reason


class InternalSettings(BaseModel):
    """`kind = "internal"`. With both lists an official must be in both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[str, ...] = Field(
        (), description="members of any of these groups only; none listed means any"
    )
    agencies: tuple[str, ...] = Field(
        (), description="officials of these agencies only; none listed means any"
    )

    def open(self, kit: Kit) -> RelyingPartyAdapter:  # noqa: ARG002 - the contract's signature
        """The adapter."""
        return Internal(frozenset(self.groups), frozenset(self.agencies))


@dataclass(frozen=True, slots=True)
class Internal:
    """Fulfils `contracts.RelyingPartyAdapter`."""

    groups: frozenset[str]
    agencies: frozenset[str]

    def admit(self, official: Official) -> None:
        """AccessDenied(NOT_ADMITTED) outside the listed groups or agencies."""
        if self.groups and self.groups.isdisjoint(official.groups):
            raise AccessDenied("group", reason=Reason.NOT_ADMITTED)
        if self.agencies and official.agency not in self.agencies:
            raise AccessDenied("agency", reason=Reason.NOT_ADMITTED)

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:  # noqa: ARG002 - the contract's signature
        """Nothing beyond the scopes; the claims mapping adds what an application needs."""
        return {}
