"""What a relying party is told: the core scopes, its adapter, its mapping, never a protocol claim."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.claims import PROTOCOL_CLAIMS, claims_for, explain, parse_mapping
from idp.contracts import Official, State
from idp.errors import ConfError

ALL = frozenset({"openid", "profile", "email", "groups"})
OFFICIAL = Official(
    source="esaram",
    personnel_number="E1000001",
    state=State.ACTIVE,
    name="홍길동",
    agency="가상행정부",
    department="정보화담당관",
    rank="사무관",
    mail="Gildong.Hong@gasang.example",
    groups=("app-admins", "app-users", "gasang-all"),
    photo=b"\xff\xd8\xff",
    attributes={"telephoneNumber": ("+82 44 000 1001", "+82 44 000 1002"), "givenName": ("길동",)},
)


def told(mapping: dict[str, Any], scope: frozenset[str] = ALL, **over: Any) -> dict[str, Any]:
    return claims_for(replace(OFFICIAL, **over), scope, mapping, {})


def why(claim: str, mapping: dict[str, Any], scope: frozenset[str] = ALL, **over: Any) -> str:
    found = explain(replace(OFFICIAL, **over), scope, mapping, {})
    return next(one.missing for one in found if one.claim == claim)


# --- the core scopes -----------------------------------------------------------------------------------


def test_the_core_scopes() -> None:
    assert told({}) == {
        "name": "홍길동",
        "agency": "가상행정부",
        "department": "정보화담당관",
        "rank": "사무관",
        "email": "Gildong.Hong@gasang.example",
        "email_verified": True,
        "groups": ["app-admins", "app-users", "gasang-all"],
    }


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ({"openid"}, set()),
        ({"openid", "profile"}, {"name", "agency", "department", "rank"}),
        ({"openid", "email"}, {"email", "email_verified"}),
        ({"openid", "groups"}, {"groups"}),
        ({"offline_access", "address", ""}, set()),
    ],
)
def test_a_scope_brings_its_claims_and_no_others(scope: set[str], claims: set[str]) -> None:
    assert set(told({}, frozenset(scope))) == claims


def test_the_personnel_number_is_told_only_by_a_mapping() -> None:
    assert "E1000001" not in str(told({}))
    mapping = {"preferred_username": {"rule": "rename", "from": "personnel_number"}}
    assert told(mapping)["preferred_username"] == "E1000001"


def test_what_the_directory_does_not_have_is_left_out() -> None:
    found = told({}, mail="", rank="", groups=())
    assert {"email", "email_verified", "rank"}.isdisjoint(found)
    assert found["groups"] == []


@pytest.mark.parametrize("mail", ["hong", "@gasang.example", "hong@", "a@b@c", "a b@c.example"])
def test_what_is_no_address_is_not_verified_as_one(mail: str) -> None:
    assert {"email", "email_verified"}.isdisjoint(told({}, mail=mail))


def test_the_photo_and_the_state_are_never_told() -> None:
    for source in ("photo", "state", "attributes", "__class__", "entry.", "entry.a.b", "Name"):
        with pytest.raises(ConfError):
            parse_mapping({"x": {"rule": "rename", "from": source}})


# --- rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": "rename", "from": "department"}, "정보화담당관"),
        ({"rule": "rename", "from": "entry.GIVENNAME"}, "길동"),
        ({"rule": "lower", "from": "mail"}, "gildong.hong@gasang.example"),
        ({"rule": "list", "from": "entry.telephoneNumber"}, ["+82 44 000 1001", "+82 44 000 1002"]),
        ({"rule": "list", "from": "rank"}, ["사무관"]),
        ({"rule": "join", "from": ["agency", "department"]}, "가상행정부 정보화담당관"),
        ({"rule": "join", "from": ["agency", "rank"], "separator": "/"}, "가상행정부/사무관"),
        ({"rule": "constant", "value": "gov"}, "gov"),
        ({"rule": "constant", "value": True}, True),
        ({"rule": "constant", "value": 7}, 7),
        ({"rule": "constant", "value": ["a", "b"]}, ["a", "b"]),
        ({"rule": "groups", "prefixes": ["app-"]}, ["app-admins", "app-users"]),
        ({"rule": "groups", "prefixes": ["app-"], "strip_prefix": True}, ["admins", "users"]),
        ({"rule": "groups", "only": ["gasang-all", "other"]}, ["gasang-all"]),
        (
            {"rule": "groups", "only": ["gasang-all"], "prefixes": ["app-u"]},
            ["app-users", "gasang-all"],
        ),
        ({"rule": "groups", "cap": 2}, ["app-admins", "app-users"]),
    ],
)
def test_a_rule_makes_a_claim(rule: dict[str, Any], expected: Any) -> None:
    found = told({"x": rule})["x"]
    assert found == expected
    assert type(found) is type(expected)


def test_omit_takes_a_core_claim_away() -> None:
    assert "rank" not in told({"rank": {"rule": "omit"}})
    assert {"email", "email_verified"}.isdisjoint(told({"email": {"rule": "omit"}}))


def test_a_mapping_replaces_a_core_claim() -> None:
    mapping = {
        "groups": {"rule": "groups", "prefixes": ["app-"]},
        "name": {"rule": "join", "from": ["name", "rank"]},
        "email": {"rule": "lower", "from": "mail", "scope": "email"},
    }
    found = told(mapping)
    assert found["groups"] == ["app-admins", "app-users"]
    assert found["name"] == "홍길동 사무관"
    assert found["email"] == "gildong.hong@gasang.example"


def test_a_rule_needs_its_scope() -> None:
    profile = {"x": {"rule": "rename", "from": "rank"}}
    assert "x" not in told(profile, frozenset({"openid"}))
    assert told(
        {"x": {"rule": "rename", "from": "rank", "scope": "openid"}}, frozenset({"openid"})
    ) == {"x": "사무관"}
    assert "g" not in told({"g": {"rule": "groups"}}, frozenset({"openid", "profile"}))


def test_several_values_are_no_single_claim() -> None:
    """A-224."""
    for rule in ("rename", "lower"):
        assert "x" not in told({"x": {"rule": rule, "from": "entry.telephoneNumber"}})
    assert "x" not in told({"x": {"rule": "join", "from": ["name", "entry.telephoneNumber"]}})


def test_an_address_must_come_from_the_directory() -> None:
    """Relying parties find accounts by a verified address: it may not be made up."""
    for rule in (
        {"rule": "constant", "value": "boss@gasang.example"},
        {"rule": "join", "from": ["name", "mail"]},
        {"rule": "list", "from": "mail"},
        {"rule": "groups"},
    ):
        with pytest.raises(ConfError, match=r"claims\.email"):
            parse_mapping({"email": rule})
    with pytest.raises(ConfError):
        parse_mapping({"email_verified": {"rule": "constant", "value": True}})
    assert "email_verified" not in told(
        {"email": {"rule": "rename", "from": "name", "scope": "email"}}
    )


# --- protocol claims -----------------------------------------------------------------------------------------

NAMED = ("iss", "sub", "aud", "exp", "iat", "nonce", "acr", "amr", "auth_time", "azp", "sid")
HASHED = ("at_hash", "c_hash", "s_hash", "cnf", "client_id", "jti", "scope")


@pytest.mark.parametrize("claim", sorted({*NAMED, *HASHED, *PROTOCOL_CLAIMS}))
def test_a_protocol_claim_is_never_overwritten(claim: str) -> None:
    for spelling in (claim, claim.upper(), claim.title()):
        with pytest.raises(ConfError):
            parse_mapping({spelling: {"rule": "constant", "value": "x"}})
        found = claims_for(OFFICIAL, ALL, {}, {spelling: "x", "harmless": 1})
        assert spelling not in found
        assert found["harmless"] == 1


def test_core_then_adapter_then_mapping() -> None:
    extra = {"rank": "of the adapter", "agency": "of the adapter", "more": [1]}
    mapping = {"rank": {"rule": "constant", "value": "of the mapping"}}
    found = claims_for(OFFICIAL, ALL, mapping, extra)
    assert (found["rank"], found["agency"], found["more"]) == (
        "of the mapping",
        "of the adapter",
        [1],
    )


# --- faults of a mapping --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mapping",
    [
        {"x": {"rule": "exec", "code": "import os"}},
        {"x": {"rule": "rename"}},
        {"x": {"rule": "rename", "from": "name", "more": 1}},
        {"x": {"rule": "rename", "from": "name.__class__"}},
        {"x": {"rule": "join", "from": []}},
        {"x": {"rule": "join", "from": ["name"] * 9}},
        {"x": {"rule": "join", "from": ["name"], "separator": "x" * 9}},
        {"x": {"rule": "constant", "value": {"a": 1}}},
        {"x": {"rule": "constant", "value": "x" * 257}},
        {"x": {"rule": "groups", "cap": 0}},
        {"x": {"rule": "groups", "cap": 501}},
        {"x": {"rule": "rename", "from": "name", "scope": ""}},
        {"x": {"rule": "rename", "from": "name", "scope": "a b"}},
        {"": {"rule": "omit"}},
        {"a b": {"rule": "omit"}},
        {"x" * 129: {"rule": "omit"}},
        {"x": "name"},
        {"x": None},
    ],
)
def test_a_faulty_mapping_is_refused_by_name(mapping: dict[str, Any]) -> None:
    with pytest.raises(ConfError) as refused:
        parse_mapping(mapping)
    assert all(problem.key.startswith("claims") for problem in refused.value.problems)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfError) as refused:
        parse_mapping(
            {"sub": {"rule": "omit"}, "x": {"rule": "y"}, "z": {"rule": "rename", "from": "q"}}
        )
    assert len(refused.value.problems) == 3


def test_a_good_mapping_is_given_back_checked() -> None:
    mapping = parse_mapping({"https://claims.example/rank": {"rule": "rename", "from": "rank"}})
    assert list(mapping) == ["https://claims.example/rank"]
    assert parse_mapping({}) == {}
    with pytest.raises(TypeError):
        mapping["sub"] = mapping["https://claims.example/rank"]  # type: ignore[index]


# --- explaining --------------------------------------------------------------------------------------------------


def test_each_claim_is_explained() -> None:
    found = {one.claim: one for one in explain(OFFICIAL, ALL, {}, {"desk": 3})}
    assert found["email"].path == ("mail", "rename", "scope email")
    assert found["email"].value == "Gildong.Hong@gasang.example"
    assert found["desk"].path == ("kind of relying party",)
    assert list(found) == sorted(found)


def test_each_missing_claim_has_its_reason() -> None:
    tel = {"x": {"rule": "rename", "from": "entry.telephoneNumber"}}
    fax = {"x": {"rule": "rename", "from": "entry.fax"}}
    assert why("name", {}, frozenset({"openid"})) == "scope profile was not granted"
    assert why("rank", {}, rank="") == "rank has no value in the directory"
    assert why("x", tel) == "entry.telephoneNumber has several values"
    assert why("x", fax) == "entry.fax has no value in the directory"
    assert why("rank", {"rank": {"rule": "omit"}}) == "left out by the mapping"
    assert why("email", {}, mail="x") == "not a mail address"
    assert why("email_verified", {}, mail="x") == "no email"


def test_each_group_left_out_has_its_reason() -> None:
    mapping = {"groups": {"rule": "groups", "prefixes": ["app-"], "cap": 1}}
    found = next(one for one in explain(OFFICIAL, ALL, mapping, {}) if one.claim == "groups")
    assert found.value == ["app-admins"]
    assert found.left_out == {"app-users": "more than 1 groups", "gasang-all": "not in the filter"}


RULES = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(
            ["rename", "lower", "list", "join", "constant", "groups", "omit", "x"]
        )
    },
    optional={
        "from": st.sampled_from(["name", "mail", "entry.cn", ["name", "rank"], "photo", 3]),
        "value": st.one_of(st.text(max_size=5), st.integers(), st.none()),
        "scope": st.sampled_from(["openid", "profile", ""]),
    },
)


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["sub", "x", "email", "acr"]), st.text(max_size=6)), RULES
    )
)
def test_any_mapping_is_refused_or_harmless(mapping: dict[str, Any]) -> None:
    try:
        parse_mapping(mapping)
    except ConfError:
        return
    found = claims_for(OFFICIAL, ALL, mapping, {})
    assert PROTOCOL_CLAIMS.isdisjoint(found)
