"""Settings that would let a directory be asked unsafely are refused before it is."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from idp_ldap import LdapSettings, LdifSettings
from idp_ldap.link import Account
from idp_ldap.settings import is_loopback, read_password
from tests.unit.idp_ldap.support import SUFFIX


def ldap(folder: Path, password: bytes = b"secret\n", **over: Any) -> LdapSettings:
    file = folder / "password"
    file.write_bytes(password)
    values: dict[str, Any] = {
        "name": "test",
        "urls": ("ldaps://ldap.example.go.kr",),
        "bind_dn": f"cn=reader,{SUFFIX}",
        "bind_password_file": file,
        "base_dn": SUFFIX,
        "groups_base_dn": f"ou=groups,{SUFFIX}",
    }
    return LdapSettings(**values | over)


def test_a_usual_table_is_accepted(tmp_path: Path) -> None:
    settings = ldap(tmp_path)
    assert (settings.timeout_s, settings.groups, settings.plain_on_loopback) == (
        3.0,
        "member",
        False,
    )


@pytest.mark.parametrize(
    "password",
    [
        b"",
        b"\n",
        b"\r\n",
        b" ",
        b"\t\n",
        b"\xe3\x80\x80\n",
        b"\0secret",
        b"sec\0ret",
        b"\xff",
        b"a" * 1025,
    ],
)
def test_a_password_that_could_bind_as_nobody_is_refused(tmp_path: Path, password: bytes) -> None:
    """A-212."""
    with pytest.raises(ValidationError, match="bind_password_file"):
        ldap(tmp_path, password)


def test_only_the_line_end_is_cut_off_a_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content in ("  two words \n", "  two words \r\n", "  two words "):
        file.write_text(content, newline="")
        assert read_password(file) == "  two words "


@pytest.mark.parametrize(
    "bind_dn", ["", " ", "reader", "cn=", "cn=a\0", "cn=#04024869", "=a", "cn=a,,dc=b"]
)
def test_a_bind_name_that_is_none_is_refused(tmp_path: Path, bind_dn: str) -> None:
    """A-213, A-211."""
    with pytest.raises(ValidationError, match="bind_dn"):
        ldap(tmp_path, bind_dn=bind_dn)


def test_a_bind_name_must_be_given(tmp_path: Path) -> None:
    values = ldap(tmp_path).model_dump()
    for missing in ("bind_dn", "bind_password_file", "base_dn", "urls"):
        with pytest.raises(ValidationError, match=missing):
            LdapSettings(**{name: value for name, value in values.items() if name != missing})


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "ldap.example",
            "http://ldap.example",
            "ldapi://%2Fsocket",
            "ldaps://",
            "ldaps:///dc=x",
        ),
        *(
            "ldaps://u:p@ldap.example",
            "ldaps://ldap.example/dc=x",
            "ldaps://ldap.example?a",
            "ldap://h:0",
        ),
        *("ldap://h:99999", "ldap://h:x", "ldaps://h#f"),
    ],
)
def test_an_address_is_scheme_host_and_port(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError):
        ldap(tmp_path, urls=(url,))


@pytest.mark.parametrize(
    "host", ["ldap.example.go.kr", "10.0.0.1", "localhost.evil.example", "126.0.0.1"]
)
def test_plain_ldap_needs_a_loopback_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValidationError, match="plain_on_loopback"):
        ldap(tmp_path, urls=("ldap://127.0.0.1", f"ldap://{host}"), plain_on_loopback=True)
    assert ldap(tmp_path, urls=(f"ldap://{host}",)).plain_on_loopback is False


def test_loopback_is_this_machine() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.8.8.8", "::1"))
    assert not any(is_loopback(host) for host in ("example.com", "128.0.0.1", "::2", ""))


def test_unknown_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="verify"):
        ldap(tmp_path, verify=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("number_attribute", "employeeNumber)(uid=*"),
            ("mail_attribute", ""),
            ("name_attributes", ()),
        ),
        *(("personnel_number_pattern", "("), ("groups_base_dn", ""), ("groups_base_dn", "groups")),
        *(("state_map", {"a": "present"}), ("timeout_s", 0), ("timeout_s", 11), ("connections", 0)),
        *(("name", "Test source"), ("base_dn", "dc"), ("groups_scope", "base"), ("urls", ())),
        ("ca_file", "/no/such/file"),
    ],
)
def test_a_value_out_of_range_is_named(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        ldap(tmp_path, **{key: value})


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ldap(tmp_path).timeout_s = 30


def test_a_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="file"):
        LdifSettings(name="test", base_dn=SUFFIX, groups="none", file=tmp_path / "gone.ldif")


def test_a_number_belongs_to_a_source_by_its_whole_form(tmp_path: Path) -> None:
    settings = ldap(tmp_path, personnel_number_pattern=r"E\d{7}|X")
    assert settings.may_hold("E1000001")
    for other in ("E10000011", "xE1000001", "E1000001\n", "I1000001", "X1", ""):
        assert not settings.may_hold(other)


def test_the_account_does_not_print_its_password() -> None:
    assert "secret" not in repr(Account("test", "cn=reader", "secret"))
