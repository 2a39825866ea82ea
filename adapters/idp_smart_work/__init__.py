"""Smart Work Centers: desks for officials of any agency. Needs to know whose desk it is, not who."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from idp.contracts import JsonObject, Kit, Official, RelyingPartyAdapter, State
from idp.errors import AccessDenied
from idp.events import Reason


class SmartWorkSettings(BaseModel):
    """`kind = "smart_work"`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agencies: tuple[str, ...] = Field(
        (), description="officials of these agencies only; none listed means any"
    )

    def open(self, kit: Kit) -> RelyingPartyAdapter:  # noqa: ARG002 - the contract's signature
        """The adapter."""
        return SmartWork(frozenset(self.agencies))


@dataclass(frozen=True, slots=True)
class SmartWork:
    """Fulfils `contracts.RelyingPartyAdapter`."""

    agencies: frozenset[str]

    def admit(self, official: Official) -> None:
        """AccessDenied(NOT_ADMITTED) unless active, of an agency, and of a listed one."""
        if official.state is not State.ACTIVE:
            raise AccessDenied("not active", reason=Reason.NOT_ADMITTED)
        if not official.agency or (self.agencies and official.agency not in self.agencies):
            raise AccessDenied("agency", reason=Reason.NOT_ADMITTED)

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:
        """Agency, department and rank with `openid` alone, so that the center need not ask for a name."""
        if "openid" not in scope:
            return {}
        found = {
            "agency": official.agency,
            "department": official.department,
            "rank": official.rank,
        }
        return {name: value for name, value in found.items() if value}
