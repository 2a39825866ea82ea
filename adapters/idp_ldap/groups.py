"""Groups of a person, nested ones too: the whole answer or none (A-221).

A group is named by its own DN below `groups_base_dn`. Groups elsewhere (another domain's, a
subtree someone else may write to) are not groups here, so they cannot lend their name to a role.
"""

from idp_ldap.entry import Entry, EntryFault
from idp_ldap.filters import EqualDn, Or, Present
from idp_ldap.names import NameMalformed, is_child, is_under, naming_value, parse_dn
from idp_ldap.nesting import Nesting
from idp_ldap.searching import Session
from idp_ldap.settings import SourceSettings

MAX_DEPTH = 20
MAX_GROUPS = 1000
CHUNK = 50  # members asked for in one search


def groups_of(
    session: Session, person: Entry, settings: SourceSettings, nesting: Nesting
) -> tuple[str, ...]:
    """Sorted names. EntryFault when there are too many or they nest too deep to tell."""
    if settings.groups == "none":
        return ()
    direct = _parents(session, [person], settings)
    if not settings.nested_groups or not direct:
        return _names(direct, settings)
    place = frozenset(direct)
    names = nesting.get(place)
    if names is None:
        asked_at = nesting.now()
        names = _names(_with_all_above(session, direct, settings), settings)
        nesting.keep(place, names, asked_at)
    return names


def _with_all_above(
    session: Session, direct: dict[str, Entry], settings: SourceSettings
) -> dict[str, Entry]:
    """These groups and every one that they lie in, by DN."""
    found = dict(direct)
    level = list(direct.values())
    for _ in range(MAX_DEPTH - 1):
        parents = _parents(session, level, settings)
        level = [group for dn, group in parents.items() if dn not in found]
        found |= parents
        if len(found) > MAX_GROUPS:
            raise EntryFault("too many groups")
        if not level:
            return found
    raise EntryFault(f"groups nested deeper than {MAX_DEPTH}")


def _names(groups: dict[str, Entry], settings: SourceSettings) -> tuple[str, ...]:
    return tuple(sorted({_name(group, settings) for group in groups.values()}))


def _parents(session: Session, children: list[Entry], settings: SourceSettings) -> dict[str, Entry]:
    """The groups that hold any of these entries, by DN."""
    read = _read_member_of if settings.groups == "memberOf" else _search_members
    found = read(session, children, settings)
    return {group.dn: group for group in found if _is_group_here(group.dn, settings)}


def _search_members(
    session: Session, children: list[Entry], settings: SourceSettings
) -> list[Entry]:
    found: list[Entry] = []
    for start in range(0, len(children), CHUNK):
        members = tuple(
            EqualDn(settings.member_attribute, child.dn)
            for child in children[start : start + CHUNK]
        )
        answer = session.search(
            settings.groups_base_dn,
            members[0] if len(members) == 1 else Or(members),
            (settings.group_name_attribute,),
            scope=settings.groups_scope,
            limit=MAX_GROUPS,
        )
        if not answer.complete:
            raise EntryFault("too many groups")
        found += answer.entries
    return found


def _read_member_of(
    session: Session, children: list[Entry], settings: SourceSettings
) -> list[Entry]:
    """The groups that memberOf names, each read, so that one that is gone does not count."""
    names = dict.fromkeys(name for child in children for name in child.texts("memberOf"))
    if len(names) > MAX_GROUPS:
        raise EntryFault("too many groups")
    found: list[Entry] = []
    for name in names:
        if not _is_group_here(name, settings):
            continue
        answer = session.search(
            name,
            Present("objectClass"),
            (settings.group_name_attribute, "memberOf"),
            scope="base",
            limit=1,
        )
        found += answer.entries
    return found


def _is_group_here(dn: str, settings: SourceSettings) -> bool:
    lies = is_child if settings.groups_scope == "one" else is_under
    try:
        return lies(parse_dn(dn), parse_dn(settings.groups_base_dn)) and bool(
            naming_value(dn, settings.group_name_attribute)
        )
    except NameMalformed:
        return False


def _name(group: Entry, settings: SourceSettings) -> str:
    return naming_value(group.dn, settings.group_name_attribute) or ""
