"""The settings of a directory source: where it is, and how its entries read as officials."""

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, model_validator

from idp.contracts import Directory, Kit, State
from idp_ldap.filters import is_askable
from idp_ldap.names import is_dn

ATTRIBUTE = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"
MAX_PASSWORD = 1024
_DEFAULT_STATES: dict[str, State] = {
    state.value: state for state in State if state is not State.UNKNOWN
}

Attribute = Annotated[str, Field(pattern=ATTRIBUTE)]
OptionalAttribute = Annotated[str, Field(pattern=f"{ATTRIBUTE}|^$")]


def _dn(value: str) -> str:
    if not is_dn(value):
        raise ValueError("a distinguished name, e.g. ou=people,dc=example")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError("a regular expression") from error
    return value


Dn = Annotated[str, AfterValidator(_dn)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Table(BaseModel):
    """Frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSettings(Table):
    """How the entries of a source read as officials; the same for LDAP and LDIF."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="the source, by its table")
    base_dn: Dn = Field(description="officials are looked for below this entry")
    person_class: Attribute = "inetOrgPerson"
    personnel_number_pattern: Pattern = Field(
        r"[A-Za-z0-9._-]{1,64}",
        description="the whole number must match; others are not asked for here",
    )
    number_attribute: Attribute = Field("employeeNumber", description="immutable, never reused")
    name_attributes: tuple[Attribute, ...] = Field(
        ("displayName", "cn"), min_length=1, description="the first that has a value"
    )
    agency_attribute: Attribute = "o"
    department_attribute: Attribute = "ou"
    rank_attribute: Attribute = "title"
    mail_attribute: Attribute = "mail"
    photo_attribute: OptionalAttribute = "jpegPhoto"
    extra_attributes: tuple[Attribute, ...] = Field(
        (), description="read as well, for the claims of relying parties"
    )
    state_attribute: Attribute = "employeeType"
    state_map: dict[str, State] = Field(
        _DEFAULT_STATES,
        description="value of state_attribute -> active, suspended, on_leave, retired or "
        "not_started; any other value refuses",
    )
    locked_attribute: OptionalAttribute = Field(
        "", description="suspended while it has a value, e.g. pwdAccountLockedTime"
    )
    starts_attribute: OptionalAttribute = Field("", description="day or GeneralizedTime")
    ends_attribute: OptionalAttribute = Field("", description="last day, or GeneralizedTime")
    utc_offset_h: int = Field(9, ge=-12, le=14, description="where a day begins and ends")
    groups: Literal["member", "memberOf", "none"] = Field(
        "member", description="search groups by their member, or read the person's memberOf"
    )
    groups_base_dn: Dn | Literal[""] = ""
    groups_scope: Literal["one", "sub"] = Field(
        "one", description="sub lets whoever may write below groups_base_dn name a group at will"
    )
    group_name_attribute: Attribute = "cn"
    member_attribute: Attribute = "member"
    nested_groups: bool = True
    nested_groups_age_s: int = Field(
        10,
        ge=0,
        le=30,
        description="how long it is remembered which groups lie in which; whose member a person is, "
        "is asked every time; counts on top of lifetimes.directory_state_s",
    )

    @model_validator(mode="after")
    def _groups_have_a_place(self) -> "SourceSettings":
        if self.groups != "none" and not self.groups_base_dn:
            raise ValueError('groups_base_dn is needed unless groups = "none"')
        return self

    @property
    def zone(self) -> timedelta:
        """How far local days are ahead of UTC."""
        return timedelta(hours=self.utc_offset_h)

    def may_hold(self, personnel_number: str) -> bool:
        """Whether this number belongs to this source by rule."""
        return is_askable(personnel_number) and bool(
            re.fullmatch(self.personnel_number_pattern, personnel_number)
        )


class LdifSettings(SourceSettings):
    """`type = "ldif"`: officials in a file, read again when it changes."""

    file: FilePath

    def open(self, kit: Kit) -> Directory:
        """The directory; the file is read at the first question."""
        from idp_ldap.ldif_file import LdifFile
        from idp_ldap.source import Source

        return Source(self, LdifFile(self.name, self.file), kit.now)


class LdapSettings(SourceSettings):
    """`type = "ldap"`: officials in one or more replicas of an LDAP server."""

    urls: tuple[str, ...] = Field(
        min_length=1,
        max_length=8,
        description="ldaps://host[:port], or ldap://host[:port], which must answer StartTLS",
    )
    ca_file: FilePath | None = Field(None, description="PEM; default: the system's authorities")
    bind_dn: Dn = Field(description="the service account; it needs to read, never to write")
    bind_password_file: FilePath
    timeout_s: float = Field(3.0, gt=0, le=10, description="for a whole question, connecting too")
    connections: int = Field(8, ge=1, le=64, description="per worker")
    plain_on_loopback: bool = Field(
        False, description="ldap:// without StartTLS; only with a loopback host"
    )

    @model_validator(mode="after")
    def _is_safe(self) -> "LdapSettings":
        for url in self.urls:
            _check_url(url, plain=self.plain_on_loopback)
        read_password(self.bind_password_file)
        return self

    def open(self, kit: Kit) -> Directory:
        """The directory; it connects at the first question."""
        from idp_ldap.remote import RemoteDirectory
        from idp_ldap.source import Source

        return Source(self, RemoteDirectory(self), kit.now)


def _check_url(url: str, *, plain: bool) -> None:
    parts = urlsplit(url)
    beside = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname or any(beside):
        raise ValueError("urls: ldaps://host[:port] or ldap://host[:port], nothing behind it")
    if parts.port == 0:  # also raises ValueError when the port is no number
        raise ValueError("urls: port 0")
    if plain and not is_loopback(parts.hostname):
        raise ValueError("plain_on_loopback: every host must be localhost or a loopback address")


def is_loopback(host: str) -> bool:
    """Whether a host of the settings is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_password(path: Path) -> str:
    """The password in that file, without the line end. ValueError when it could bind as nobody.

    An empty password makes a simple bind anonymous (RFC 4513 §5.1.2), and NUL or blanks become
    empty on some servers (A-212).
    """
    try:
        password = path.read_bytes()[: MAX_PASSWORD + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("bind_password_file: a readable file of UTF-8 text") from error
    password = password.removesuffix("\n").removesuffix("\r")
    if not password.strip() or "\0" in password or len(password) > MAX_PASSWORD:
        raise ValueError("bind_password_file: empty, blank, with NUL, or longer than 1024")
    return password
