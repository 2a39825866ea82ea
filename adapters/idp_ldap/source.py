"""A directory of officials over anything that answers searches: find one, look for some, check."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from idp.contracts import Official
from idp.errors import AccessDenied, OutsideError
from idp.events import Reason
from idp_ldap.entry import Entry, EntryFault, SeveralValues
from idp_ldap.filters import And, Contains, Equal, Filter, Or, Present, is_askable
from idp_ldap.groups import groups_of
from idp_ldap.nesting import Nesting
from idp_ldap.searching import Searcher, Server, Session
from idp_ldap.settings import SourceSettings
from idp_ldap.state import state_of

MAX_FOUND = 500


class Source:
    """Fulfils `contracts.Directory`."""

    def __init__(
        self, settings: SourceSettings, searcher: Searcher, now: Callable[[], datetime]
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._searcher = searcher
        self._now = now
        self._nesting = Nesting(settings.nested_groups_age_s)

    def find(self, personnel_number: str) -> Official | None:
        """The official with exactly that number, octet by octet (A-220).

        Servers compare loosely (case, blanks, width), so the entry's own value is compared again.
        """
        if not self._settings.may_hold(personnel_number):
            return None
        wanted = self._people(Equal(self._settings.number_attribute, personnel_number))
        with self._searcher.session() as session:
            answer = session.search(self._settings.base_dn, wanted, self._wanted(), limit=2)
            if len(answer.entries) > 1 or not answer.complete:
                raise AccessDenied("two entries", reason=Reason.PERSON_AMBIGUOUS)
            if not answer.entries:
                return None
            return self._exactly(session, answer.entries[0], personnel_number)

    def _exactly(self, session: Session, entry: Entry, personnel_number: str) -> Official | None:
        try:
            if entry.text(self._settings.number_attribute) != personnel_number:
                return None
            return self._official(session, entry)
        except SeveralValues as error:
            raise AccessDenied(f"several: {error}", reason=Reason.PERSON_AMBIGUOUS) from error
        except EntryFault as error:
            raise OutsideError(self.name, str(error)) from error

    def search(self, text: str, limit: int) -> list[Official]:
        """By part of a name, number or mail address; "" means all. Photos are left out.

        An entry that cannot be read as an official is left out as well: it could not sign in.
        """
        limit = min(limit, MAX_FOUND)
        if limit < 1 or (text and not is_askable(text)):
            return []
        wanted = self._people(self._containing(text))
        found = []
        with self._searcher.session() as session:
            answer = session.search(self._settings.base_dn, wanted, self._seen(), limit=limit)
            for entry in answer.entries:
                try:
                    found.append(self._official(session, entry))
                except EntryFault:
                    continue
        return sorted(found, key=lambda official: official.personnel_number)

    def check(self) -> None:
        """OutsideError unless the base entry can be read."""
        with self._searcher.session() as session:
            everything = Present("objectClass")
            answer = session.search(
                self._settings.base_dn, everything, ("objectClass",), scope="base", limit=1
            )
        if not answer.entries:
            raise OutsideError(self.name, "base_dn is not there, or may not be read")

    def origins(self) -> Mapping[str, tuple[str, ...]]:
        """Which attributes each field of an official comes from, for who asks why a claim is missing."""
        settings = self._settings
        groups = "memberOf" if settings.groups == "memberOf" else settings.member_attribute
        return {
            "personnel_number": (settings.number_attribute,),
            "name": settings.name_attributes,
            "agency": (settings.agency_attribute,),
            "department": (settings.department_attribute,),
            "rank": (settings.rank_attribute,),
            "mail": (settings.mail_attribute,),
            "state": (settings.state_attribute,),
            "groups": () if settings.groups == "none" else (groups,),
        }

    def servers(self) -> Sequence[Server]:
        """What each server behind this source says of itself; nothing for a file."""
        return self._searcher.servers()

    def _people(self, wanted: Filter) -> Filter:
        return And((Equal("objectClass", self._settings.person_class), wanted))

    def _containing(self, text: str) -> Filter:
        settings = self._settings
        if not text.strip():
            return Present(settings.number_attribute)
        looked_at = (settings.number_attribute, settings.mail_attribute, *settings.name_attributes)
        return Or(tuple(Contains(attribute, text.strip()) for attribute in looked_at))

    def _wanted(self) -> tuple[str, ...]:
        """The attributes to ask for: never "*", which could bring anything of any size."""
        photo = self._settings.photo_attribute
        return (*self._seen(), photo) if photo else self._seen()

    def _seen(self) -> tuple[str, ...]:
        """The same without the photo."""
        settings = self._settings
        beside = (settings.locked_attribute, settings.starts_attribute, settings.ends_attribute)
        member_of = ("memberOf",) if settings.groups == "memberOf" else ()
        return tuple(filter(None, (*self._shown(), *beside, *member_of)))

    def _shown(self) -> tuple[str, ...]:
        """The attributes that claims may be made of."""
        settings = self._settings
        mapped = (
            settings.number_attribute,
            *settings.name_attributes,
            settings.agency_attribute,
            settings.department_attribute,
            settings.rank_attribute,
            settings.mail_attribute,
            settings.state_attribute,
        )
        return tuple(dict.fromkeys((*mapped, *settings.extra_attributes)))

    def _official(self, session: Session, entry: Entry) -> Official:
        settings = self._settings
        number = entry.text(settings.number_attribute)
        if not number:
            raise EntryFault(f"{settings.number_attribute}: no value")
        names = (entry.text(attribute) for attribute in settings.name_attributes)
        shown = {attribute: entry.texts(attribute) for attribute in self._shown()}
        return Official(
            source=self.name,
            personnel_number=number,
            state=state_of(entry, settings, self._now()),
            name=next(filter(None, names), ""),
            agency=entry.text(settings.agency_attribute),
            department=entry.text(settings.department_attribute),
            rank=entry.text(settings.rank_attribute),
            mail=entry.text(settings.mail_attribute),
            groups=groups_of(session, entry, settings, self._nesting),
            photo=entry.photo(settings.photo_attribute) if settings.photo_attribute else None,
            attributes={name: values for name, values in shown.items() if values},
        )
