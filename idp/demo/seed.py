"""What the demo registers and shows: relying parties, an automation client, people, trust anchors."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from idp.conf import Roles
from idp.contracts import Official, Use
from idp.demo.folder import Place
from idp.keys.certificates import to_pem
from idp.relying_parties import RelyingParties, RelyingParty
from idp.services import Services

ACTOR = "cli:demo"
LAB_REDIRECT = "http://localhost:9999/callback"
API_SCOPE = ("gongmu:rp", "gongmu:people", "gongmu:issue", "gongmu:loss", "gongmu:events")
_EVERYTHING = ("openid", "profile", "email", "groups", "offline_access")


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was registered, with the secrets."""

    relying_parties: dict[str, dict[str, Any]]  # as `--json` prints it
    automation: dict[str, str]
    people: list[dict[str, Any]]
    trust_anchors: dict[str, str]


def seed(parts: Services, place: Place) -> Seeded:
    """Register what is missing, in a folder kept from before too. OutsideError."""
    secrets_file = place.folder / "client-secrets.json"
    secrets = _read_secrets(secrets_file)
    register = RelyingParties(  # of our own: loopback addresses over http are for the demo alone
        parts.engine, parts.journal, parts.keys.secret("client-secrets"), parts.now, loopback=True
    )
    parties = [_at_home(party, place) for party in _PARTIES]
    automation = _automation(place)
    for party in (*parties, _lab(), automation):
        secret = secrets.get(party.client_id, "")
        secrets[party.client_id] = _register(register, party, secret)
    _write_secrets(secrets_file, secrets)
    urls = {party.client_id: f"{place.parties_url}/{party.client_id}" for party in parties}
    return Seeded(
        relying_parties={
            party.client_id: {
                "client_id": party.client_id,
                "client_secret": secrets[party.client_id],
                "redirect_uris": list(party.redirect_uris),
                "url": urls.get(party.client_id, ""),
            }
            for party in (*parties, _lab())
        },
        automation={
            "client_id": automation.client_id,
            "client_secret": secrets[automation.client_id],
            "scope": " ".join(automation.scope),
        },
        people=people(parts),
        trust_anchors={
            use.value: str(_write_anchors(place.folder, use, parts))
            for use in (Use.VERIFIER, Use.ISSUER)
        },
    )


def people(parts: Services) -> list[dict[str, Any]]:
    """Everybody in the directory, with the roles that their groups give."""
    roles = parts.settings.roles
    return [
        {
            "personnel_number": official.personnel_number,
            "name": official.name,
            "agency": official.agency,
            "state": official.state.value,
            "roles": _roles(official, roles),
        }
        for official in parts.people.search("", 1000)
    ]


def _roles(official: Official, roles: Roles) -> list[str]:
    groups = set(official.groups)
    return [name for name in type(roles).model_fields if groups & set(getattr(roles, name))]


# --- relying parties; where nothing is said: acr 2, no consent page ---------------------------------

_PARTIES = (
    RelyingParty(
        "mail", "공직 메일", "Government mail", kind="mail", scope=_EVERYTHING, consent="once"
    ),
    RelyingParty(
        "smart-work",
        "스마트워크센터",
        "Smart Work Center",
        kind="smart_work",
        scope=_EVERYTHING,
        consent="once",
    ),
    RelyingParty(
        "intranet",
        "업무 게시판",
        "Intranet",
        scope=_EVERYTHING,
        minimum_acr="urn:gongmu:acr:1",
    ),
)


def _at_home(party: RelyingParty, place: Place) -> RelyingParty:
    """With the addresses it has in this demo."""
    url = f"{place.parties_url}/{party.client_id}"
    return replace(
        party,
        redirect_uris=(f"{url}/callback",),
        post_logout_redirect_uris=(f"{url}/signed-out",),
        backchannel_logout_uri=f"{url}/backchannel-logout",
    )


def _lab() -> RelyingParty:
    """For a client of one's own."""
    return RelyingParty(
        client_id="lab",
        name_ko="실험실",
        name_en="Lab",
        redirect_uris=(LAB_REDIRECT,),
        post_logout_redirect_uris=("http://localhost:9999/",),
        response_modes=("query", "fragment", "form_post"),
        scope=_EVERYTHING,
        minimum_acr="urn:gongmu:acr:1",
        consent="trusted",
    )


def _automation(place: Place) -> RelyingParty:
    return RelyingParty(
        client_id="automation",
        name_ko="자동화",
        name_en="Automation",
        grant_types=("client_credentials",),
        scope=API_SCOPE,
        audience=f"{place.issuer}/api/v1",
    )


def _register(register: RelyingParties, party: RelyingParty, secret: str) -> str:
    """Its client secret: the one from before when that still holds, else a new one."""
    known = register.get(party.client_id)
    if known is None:
        return register.add(party, ACTOR)
    if replace(known, disabled=False) != party:  # another port or host than before
        register.update(party, ACTOR, since=known)
    if secret and register.secret_is_right(party.client_id, secret):
        return secret
    return register.new_secret(party.client_id, ACTOR)


def _read_secrets(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if found else {}


def _write_secrets(file: Path, secrets: dict[str, str]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(secrets, stream, indent=1)


def _write_anchors(folder: Path, use: Use, parts: Services) -> Path:
    file = folder / f"{use.value}-root.pem"
    file.write_text("".join(to_pem(der) for der in parts.keys.trust_anchors(use)))
    return file
