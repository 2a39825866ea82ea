"""`gongmu serve` on real stores: Redis, PostgreSQL and a directory, two workers on granian."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp import conf_file
from idp.app import open_services
from idp.contracts import Official, Use
from idp.relying_parties import RelyingParties, RelyingParty
from idp.services import Services
from tests.provider import GONGMU, ROOT, Provider, is_ready, provider_of
from tests.servers import Child, free_port
from tests.servers_slapd import Slapd

API_SCOPE = ("gongmu:rp", "gongmu:people", "gongmu:issue", "gongmu:loss", "gongmu:events")
ANCHORS = (Use.VERIFIER, Use.ISSUER)
ACTOR = "cli:tests"
ROLE_GROUPS = "gongmu-"
# client_id: (callback, the least acr); the demo's names where tests use them
PARTIES = {
    "lab": ("http://localhost:9999/callback", "urn:gongmu:acr:1"),
    "mail": ("http://localhost:9998/callback", "urn:gongmu:acr:2"),
}
CONFIGURATION = """issuer = "{issuer}"
environment = "demo"
log_level = "warning"
[server]
host = "127.0.0.1"
port = {port}
workers = 2
[stores]
redis_url = "{redis_url}"
sql_url = "{sql_url}"
timeout_s = {timeout_s}
[keys]
key_encryption_key_file = "key-encryption-key"
[lifetimes]
directory_state_s = 0
[rates]
refusals = 10000000
{rates}[methods.mobile_id]
[methods.fido2]
[sites.issuer]
[sites.wallet]
{directories}
"""


def demo_entries(name: str) -> str:
    """The demo's people of that source, as LDIF."""
    return (ROOT / "conf" / "demo" / f"{name}.ldif").read_text(encoding="utf-8")


def ldap_table(name: str, server: Slapd, url: str = "", timeout_s: float = 3) -> str:
    """A directory on a real slapd, over TLS."""
    return f"""[directories.{name}]
type = "ldap"
urls = ["{url or server.ldaps_url}"]
timeout_s = {timeout_s}
ca_file = "{server.ca_file}"
bind_dn = "{server.reader_dn}"
bind_password_file = "{server.password_file}"
base_dn = "ou=people,{server.suffix}"
groups_base_dn = "ou=groups,{server.suffix}"
"""


def ldif_table(name: str) -> str:
    """A directory in one of the demo's files."""
    return f"""[directories.{name}]
type = "ldif"
file = "{ROOT}/conf/demo/{name}.ldif"
base_dn = "ou=people,dc={name},dc=example"
groups_base_dn = "ou=groups,dc={name},dc=example"
"""


def start_stack(
    folder: Path,
    redis_url: str,
    sql_url: str,
    directories: str,
    timeout_s: float = 3,
    rates: str = "",
) -> Provider:
    """A provider on those stores, ready, with relying parties registered. `rates` are more of them."""
    port = free_port()
    issuer = f"http://localhost:{port}"
    file = folder / "gongmu.toml"
    values = {"redis_url": redis_url, "sql_url": sql_url, "directories": directories}
    values |= {"timeout_s": str(timeout_s), "rates": rates}
    file.write_text(CONFIGURATION.format(issuer=issuer, port=port, **values), encoding="utf-8")
    begun = time.monotonic()
    child = Child("gongmu", [GONGMU, "--config", str(file), "serve"])
    try:
        child.wait_until(lambda: is_ready(issuer))
        ready_ms = int((time.monotonic() - begun) * 1000)
        printed = {"issuer": issuer, "ready_ms": ready_ms, **_registered(file)}
        return replace(provider_of(printed, child), conf_file=file)
    except BaseException:
        child.stop()
        raise


@contextmanager
def services_of(file: Path) -> Iterator[Services]:
    """The provider's own parts, from its configuration: what an insider has."""
    parts = open_services(conf_file.load(file))
    try:
        yield parts
    finally:
        parts.engine.dispose()


def _registered(file: Path) -> dict[str, Any]:
    """The rest of what `gongmu demo --json` would print."""
    with services_of(file) as parts:
        issuer = parts.settings.issuer
        register = RelyingParties(  # of our own: callbacks on loopback are for the demo alone
            parts.engine,
            parts.journal,
            parts.keys.secret("client-secrets"),
            parts.now,
            loopback=True,
        )
        parties = {name: _added(register, name, *settings) for name, settings in PARTIES.items()}
        return {
            "relying_parties": parties,
            "automation": _automation(register, issuer),
            "people": [_person(official) for official in parts.people.search("", 500)],
            "wallet_url": f"{issuer}/wallet",
            "trust_anchors": {use.value: _anchor(parts, use, file.parent) for use in ANCHORS},
        }


def _added(register: RelyingParties, client_id: str, callback: str, acr: str) -> dict[str, Any]:
    party = RelyingParty(
        client_id=client_id,
        name_ko=client_id,
        name_en=client_id,
        redirect_uris=(callback,),
        minimum_acr=acr,
    )
    secret = register.add(party, ACTOR)
    return {
        "client_id": client_id,
        "client_secret": secret,
        "redirect_uris": [callback],
        "url": callback,
    }


def _automation(register: RelyingParties, issuer: str) -> dict[str, str]:
    party = RelyingParty(
        client_id="automation",
        name_ko="자동화",
        name_en="Automation",
        grant_types=("client_credentials",),
        scope=API_SCOPE,
        audience=f"{issuer}/api/v1",
    )
    secret = register.add(party, ACTOR)
    return {"client_id": party.client_id, "client_secret": secret, "scope": " ".join(API_SCOPE)}


def _person(official: Official) -> dict[str, Any]:
    return {
        "personnel_number": official.personnel_number,
        "name": official.name,
        "agency": official.agency,
        "state": official.state.value,
        "roles": [group for group in official.groups if group.startswith(ROLE_GROUPS)],
    }


def _anchor(parts: Services, use: Use, folder: Path) -> str:
    file = folder / f"{use.value}-anchor.pem"
    [der] = parts.keys.trust_anchors(use)
    file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return str(file)
