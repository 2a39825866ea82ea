"""Filters and names: what is written is read back as the same text by ldap3's own parser."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp_ldap.entry import Entry
from idp_ldap.filters import And, Contains, Equal, EqualDn, Or, Present, escape, matches, text
from idp_ldap.names import NameMalformed, is_child, is_dn, is_under, naming_value, parse_dn
from tests.unit.idp_ldap.support import SUFFIX

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def compiled(written: str) -> Any:
    """The filter as ldap3 would send it."""
    from ldap3.operation.search import compile_filter, parse_filter

    import idp_ldap.link  # noqa: F401 - imports ldap3 without its warnings

    tree = parse_filter(
        written, None, auto_escape=False, auto_encode=True, validator=None, check_names=False
    )
    return compile_filter(tree.elements[0])


@given(ANY_TEXT)
def test_an_equality_filter_holds_exactly_its_value(value: str) -> None:
    """A-210."""
    found = compiled(text(Equal("employeeNumber", value)))
    assert found.getName() == "equalityMatch"
    assert bytes(found["equalityMatch"]["assertionValue"]) == value.encode()


@given(ANY_TEXT.filter(bool))
def test_a_substring_filter_holds_exactly_its_value(value: str) -> None:
    found = compiled(text(Contains("cn", value)))
    assert found.getName() == "substringFilter"
    parts = list(found["substringFilter"]["substrings"])
    assert [(part.getName(), bytes(part[part.getName()])) for part in parts] == [
        ("any", value.encode())
    ]


@given(ANY_TEXT)
def test_what_is_escaped_holds_nothing_that_a_filter_reads(value: str) -> None:
    written = escape(value)
    assert written.isascii()
    assert not set(written) & set("()*&|!=~<>\0 ")


def test_filters_nest() -> None:
    wanted = And(
        (Equal("objectClass", "inetOrgPerson"), Or((Present("mail"), Contains("cn", "길"))))
    )
    assert text(wanted) == r"(&(objectClass=inetOrgPerson)(|(mail=*)(cn=*\ea\b8\b8*)))"
    assert compiled(text(wanted)).getName() == "and"


ENTRY = Entry(
    f"uid=1,{SUFFIX}",
    {
        "cn": ("홍 길동".encode(), b"Hong"),
        "member": (f"CN = a\\2cb , {SUFFIX}".encode(), b"no name"),
    },
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Equal("CN", " hONG "), True),
        (Equal("cn", "홍  길동"), True),
        (Equal("cn", "홍길동"), False),
        (Equal("sn", "Hong"), False),
        (Contains("cn", "on"), True),
        (Contains("cn", "o*n"), False),
        (Present("cn"), True),
        (Present("mail"), False),
        (EqualDn("member", f"cn=a\\,B,{SUFFIX}"), True),
        (EqualDn("member", f"cn=a,cn=B,{SUFFIX}"), False),
        (And((Present("cn"), Present("mail"))), False),
        (Or((Present("cn"), Present("mail"))), True),
    ],
)
def test_an_entry_in_memory_matches_as_a_server_would(wanted: Any, *, expected: bool) -> None:
    assert matches(wanted, ENTRY) is expected


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Admins,OU=Groups,DC=x", "cn=admins, ou=groups ,dc=X"),
        ("cn=a\\,b,dc=x", "cn=a\\2cb,dc=x"),
        ("cn=a+uid=b,dc=x", "uid=b+cn=a,dc=x"),
        ("cn=\\ED\\99\\8D,dc=x", "cn=홍,dc=x"),
        ("cn=a  b,dc=x", "cn=a b,dc=x"),
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert parse_dn(one) == parse_dn(other)


@pytest.mark.parametrize(
    ("one", "other"), [("cn=a\\,dc=x", "cn=a,dc=x"), ("cn=a,dc=x", "cn=b,dc=x"), ("cn=a", "uid=a")]
)
def test_other_names_are_not(one: str, other: str) -> None:
    assert parse_dn(one) != parse_dn(other)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "cn",
        "cn=",
        "=a",
        "cn=a,",
        ",cn=a",
        "cn=a\0",
        "cn=a\\00",
        "cn=#04",
        "cn=a\\",
        "c n=a",
        "cn=a+,dc=x",
        "cn=\\ff,dc=x",
        "cn=" + "a" * 2050,
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    """A-211."""
    assert not is_dn(name)


@given(st.text(max_size=60) | st.text(alphabet='cn=,+\\#0a "', max_size=60))
def test_any_text_is_a_name_or_refused(value: str) -> None:
    try:
        parse_dn(value)
    except NameMalformed:
        assert not is_dn(value)


def test_places_in_the_tree() -> None:
    base, child, below = (parse_dn(name) for name in ("dc=x", "ou=a,dc=x", "cn=b,ou=a,dc=x"))
    assert is_child(child, base)
    assert not is_child(below, base)
    assert not is_child(base, base)
    assert is_under(below, base)
    assert is_under(base, base)
    assert not is_under(base, child)
    assert not is_under(parse_dn("ou=a,dc=xx"), base)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CN=Mail Admins,dc=x", "Mail Admins"),
        ("cn=a\\,b,dc=x", "a,b"),
        ("cn=a\\2cb,dc=x", "a,b"),
        ("cn= a ,dc=x", "a"),
        ("cn=a\\ ,dc=x", "a "),
        ("uid=a,dc=x", None),
        ("cn=a+uid=b,dc=x", None),
    ],
)
def test_a_group_is_named_by_its_own_part(name: str, value: str | None) -> None:
    assert naming_value(name, "cn") == value
