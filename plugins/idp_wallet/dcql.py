"""Which card answers a question, and with which claims (DCQL, OpenID4VP 1.0 §6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from idp_wallet.card import FORMAT, Card
from idp_wallet.chain import key_identifiers, parse_chain
from idp_wallet.encoding import encode
from idp_wallet.faults import NothingToShow, RequestUntrusted
from idp_wallet.sd_jwt import Found, find

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
_Value = str | int | bool


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ClaimQuery(_Part):
    id: _Id | None = None
    path: list[str | Annotated[int, Field(ge=0)] | None] = Field(min_length=1, max_length=16)
    values: list[_Value] | None = Field(None, min_length=1, max_length=64)


class Authority(_Part):
    type: str
    values: list[str] = Field(min_length=1, max_length=64)


class _Meta(_Part):
    vct_values: list[str] = Field(default_factory=list, max_length=64)


class CredentialQuery(_Part):
    id: _Id
    format: str
    meta: _Meta = _Meta()
    claims: list[ClaimQuery] | None = Field(None, min_length=1, max_length=64)
    claim_sets: list[list[_Id]] | None = Field(None, min_length=1, max_length=16)
    trusted_authorities: list[Authority] | None = Field(None, min_length=1, max_length=16)

    @model_validator(mode="after")
    def _claim_sets_name_claims(self) -> Self:
        """§6.1: claim_sets needs claims; each member is the id of one, and ids are unique."""
        ids = [claim.id for claim in self.claims or () if claim.id is not None]
        named = {name for names in self.claim_sets or () for name in names}
        if len(ids) != len(set(ids)) or not named <= set(ids):
            raise ValueError("claim ids")
        return self


class CredentialSet(_Part):
    options: list[list[_Id]] = Field(min_length=1, max_length=16)
    required: bool = True


class Query(_Part):
    """A question as it was asked; its form is checked, nothing more."""

    credentials: list[CredentialQuery] = Field(min_length=1, max_length=16)
    credential_sets: list[CredentialSet] | None = Field(None, min_length=1, max_length=16)

    @model_validator(mode="after")
    def _sets_name_credentials(self) -> Self:
        ids = {credential.id for credential in self.credentials}
        sets = self.credential_sets or ()
        named = {name for group in sets for option in group.options for name in option}
        if len(ids) != len(self.credentials) or not named <= ids:
            raise ValueError("credential ids")
        return self


@dataclass(frozen=True, slots=True)
class Choice:
    """One card that answers one part of the question."""

    query_id: str
    card: Card
    names: tuple[str, ...]  # of the claims shown, for the person: "address.city"
    disclosures: tuple[str, ...]


def read_query(document: Any) -> Query:
    """A `dcql_query` (parsed JSON, untrusted). RequestUntrusted."""
    try:
        return Query.model_validate(document)
    except ValidationError as error:
        raise RequestUntrusted("The request does not say clearly what it asks for.") from error


def choose(query: Query, cards: Iterable[Card], now: datetime) -> tuple[Choice, ...]:
    """What the wallet would show, as little as answers the question (§6.4). NothingToShow."""
    held = [card for card in cards if not card.is_expired(now)]
    found = {part.id: choice for part in query.credentials if (choice := _answer(part, held))}
    wanted = list(found) if query.credential_sets else [part.id for part in query.credentials]
    if query.credential_sets:
        wanted = _options(query.credential_sets, found)
    if not wanted or any(name not in found for name in wanted):
        raise NothingToShow("There is no card in this wallet that answers this request.")
    return tuple(found[name] for name in dict.fromkeys(wanted))


def _options(sets: Sequence[CredentialSet], found: dict[str, Choice]) -> list[str]:
    """The first option of each required set that can be met; optional sets are left out (§6.4.2)."""
    wanted = []
    for group in sets:
        option = next((o for o in group.options if all(name in found for name in o)), None)
        if option is None and group.required:
            return []
        if option is not None and group.required:
            wanted += option
    return wanted


def _answer(part: CredentialQuery, held: Sequence[Card]) -> Choice | None:
    for card in held:
        if part.format != FORMAT or card.vct not in part.meta.vct_values:
            continue
        if part.trusted_authorities and not _is_from(card, part.trusted_authorities):
            continue
        shown = _claims(part, card)
        if shown is not None:
            return Choice(part.id, card, *shown)
    return None


def _is_from(card: Card, authorities: Sequence[Authority]) -> bool:
    """Whether the issuer's chain names one of these authorities (§6.1.1.1; only aki is known)."""
    known = {encode(key) for key in key_identifiers(parse_chain(card.sd_jwt.header))}
    return any(known & set(a.values) for a in authorities if a.type == "aki")


def _claims(part: CredentialQuery, card: Card) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Names and disclosures of the claims to show; None when the card cannot answer (§6.4.1)."""
    if part.claims is None:
        return (), ()  # only what lies open anyway
    claims = {claim.id or str(number): claim for number, claim in enumerate(part.claims)}
    for names in part.claim_sets or [list(claims)]:
        found = {name: _matching(claims[name], card) for name in names}
        if all(found.values()):
            shown = [d for match in found.values() for one in match for d in one.disclosures]
            paths = (claims[name].path for name in names)
            labels = tuple(".".join("*" if p is None else str(p) for p in path) for path in paths)
            return labels, tuple(dict.fromkeys(shown))
    return None


def _matching(claim: ClaimQuery, card: Card) -> list[Found]:
    found = find(card.sd_jwt.root, tuple(claim.path))
    if claim.values is None:
        return found
    return [one for one in found if any(_same(one.node.value, value) for value in claim.values)]


def _same(have: Any, asked: _Value) -> bool:
    return type(have) is type(asked) and bool(have == asked)  # 1 is not true
