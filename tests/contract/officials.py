"""The entries that test_directory.py asks for: invented officials, and everything that can be wrong with one."""

from base64 import b64encode
from typing import Any

from tests.unit.idp_ldap.support import JPEG, SUFFIX

PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
LARGE_PHOTO = JPEG + bytes(200 * 1024)


def record(dn: str, *classes: str, **attributes: str | bytes | list[str]) -> str:
    """One LDIF record; octets and unsafe text in base64."""
    lines = [_line("dn", dn), *(f"objectClass: {name}" for name in classes)]
    for name, found in attributes.items():
        values = found if isinstance(found, list) else [found]
        lines += [_line(name, value) for value in values]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str | bytes) -> str:
    octets = value if isinstance(value, bytes) else value.encode()
    plain = octets.isascii() and octets.strip() == octets and octets.decode().isprintable()
    if plain and octets[:1] not in (b":", b"<"):
        return f"{name}: {octets.decode()}"
    return f"{name}:: {b64encode(octets).decode()}"


_serial = iter(range(10_000))


def person(number: str | list[str], **attributes: Any) -> str:
    """An official's record, named by something that has nothing to do with the number."""
    values = {
        "cn": "홍길동",
        "sn": "홍",
        "employeeType": "active",
        "o": "가상행정부",
        "mail": "a@gasang.example",
    }
    values |= {"ou": "정보화담당관", "title": "사무관"}
    values |= attributes
    shown = {name: value for name, value in values.items() if value is not None}
    dn = f"uid=u{next(_serial)},{PEOPLE}"
    return record(dn, "inetOrgPerson", employeeNumber=number, **shown)


def group(name: str, *members: str, base: str = GROUPS) -> str:
    """A group; members are DNs."""
    return record(f"cn={name},{base}", "groupOfNames", member=list(members) or [SUFFIX])


def chain(prefix: str, length: int, first: str) -> list[str]:
    """Groups of which each holds the one before; the first holds that entry."""
    names = [f"{prefix}-{number:02d}" for number in range(length)]
    held = [first, *(f"cn={name},{GROUPS}" for name in names)]
    return [group(name, member) for name, member in zip(names, held, strict=False)]


def content() -> str:
    """Everything the tests below ask for."""
    deep, deeper, looped = (f"uid={name},{PEOPLE}" for name in ("deep", "deeper", "looped"))

    def named(dn: str, number: str) -> str:
        return record(
            dn, "inetOrgPerson", employeeNumber=number, cn="심청", sn="심", employeeType="active"
        )

    places = [
        record(SUFFIX, "dcObject", "organization", dc="test", o="시험"),
        *(record(f"ou={ou},{SUFFIX}", "organizationalUnit") for ou in ("people", "groups", "evil")),
        record(f"ou=delegated,{GROUPS}", "organizationalUnit"),
    ]
    states = [
        person(f"S-{state}", employeeType=state)
        for state in (
            "active",
            "suspended",
            "on_leave",
            "retired",
            "not_started",
            "moved",
        )
    ]
    people = [
        person("E1", displayName="이몽룡", jpegPhoto=JPEG, telephoneNumber=["1", "2"]),
        person("S-none", employeeType=None),
        person("S-upper", employeeType="ACTIVE"),
        person("S-two", employeeType=["active", "suspended"]),
        person("D1", cn="하나"),
        person("D1", cn="둘"),
        person("V1", cn="하나"),
        person("v1", cn="둘"),
        person("M1", initials=["M1", "M1-alias"]),
        person("M-mail", mail=["a@gasang.example", "b@gasang.example"]),
        person("M-cn", cn=["하나", "둘"]),
        person("C-lower"),
        person("\xe9-nfc"),
        person("W 1"),
        person("star*"),
        person(")(cn=*"),
        person("back\\2a"),
        person("X-html", cn="<script>alert(1)</script>"),
        person("X-control", cn="홍\r\n길동"),
        person("X-bidi", cn="홍\u202e길동"),
        person("X-long", title="가" * 1366),
        person("P-nul", jpegPhoto=b"\0" + JPEG),
        person("P-large", jpegPhoto=LARGE_PHOTO),
        person("T-from", carLicense="20260303"),
        person("T-today", carLicense="20260302"),
        person("T-broken", carLicense="soon"),
        person("U-last-day", roomNumber="20260302"),
        person("U-over", roomNumber="20260301"),
        person("U-moment", roomNumber="20260302025959Z"),
        person("L1", pager="20260101000000Z"),
        named(deep, "G-deep"),
        named(deeper, "G-deeper"),
        named(looped, "G-looped"),
    ]
    groups = [
        *chain("deep", 19, deep),
        *chain("deeper", 21, deeper),
        group("loop-a", looped, f"cn=loop-b,{GROUPS}"),
        group("loop-b", f"cn=loop-a,{GROUPS}"),
        group("crowd", deep, *(f"uid=nobody{number},{PEOPLE}" for number in range(10_000))),
        group("delegated-admins", deep, base=f"ou=delegated,{GROUPS}"),
        group("foreign-admins", deep, base=f"ou=evil,{SUFFIX}"),
    ]
    return "\n".join([*places, *states, *people, *groups])
