"""`gongmu serve` on real stores: Redis, PostgreSQL and a directory, two workers on granian."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp import conf_file
from idp.app import open_services
from idp.conf import Settings
from idp.contracts import Official, Use
from idp.relying_parties import RelyingParties, RelyingParty
from idp.services import Services
from tests.provider import ROOT, Provider, provider_of
from tests.servers import Child, free_port

API_SCOPE = ("gongmu:rp", "gongmu:people", "gongmu:issue", "gongmu:loss", "gongmu:events")


def demo_directories() -> str:
    """The demo's two files as directory tables."""
    return "\n".join(
        f"""[directories.{name}]
type = "ldif"
file = "{ROOT}/conf/demo/{name}.ldif"
base_dn = "ou=people,dc={name},dc=example"
groups_base_dn = "ou=groups,dc={name},dc=example"
"""
        for name in ("esaram", "insarang")
    )


def configuration(folder: Path, port: int, stores: str, directories: str) -> Path:
    """An ordinary configuration for one machine."""
    file = folder / "gongmu.toml"
    issuer = f"http://localhost:{port}"
    file.write_text(
        f"""issuer = "{issuer}"
environment = "demo"
log_level = "warning"
[server]
host = "127.0.0.1"
port = {port}
workers = 2
[stores]
{stores}
[keys]
key_encryption_key_file = "key-encryption-key"
[[wallets]]
name = "openid4vp"
present_prefix = "openid4vp://?"
receive_prefix = "openid-credential-offer://?"
[[wallets]]
name = "reference"
present_prefix = "{issuer}/wallet/present?"
receive_prefix = "{issuer}/wallet/receive?"
[methods.mobile_id]
[sites.issuer]
[sites.wallet]
{directories}
""",
        encoding="utf-8",
    )
    return file


def start_stack(folder: Path, redis_url: str, sql_url: str, directories: str) -> Provider:
    """A provider on those stores, ready, with the demo's relying parties registered."""
    port = free_port()
    stores = f'redis_url = "{redis_url}"\nsql_url = "{sql_url}"'
    file = configuration(folder, port, stores, directories)
    begun = time.monotonic()
    command = "import sys, pathlib; from idp.serve import serve; serve(pathlib.Path(sys.argv[1]))"
    child = Child("gongmu", [sys.executable, "-c", command, str(file)])
    try:
        settings = conf_file.load(file)
        child.wait_until(lambda: _is_ready(settings.issuer))
        printed = _registered(settings, folder)
        printed["ready_ms"] = int((time.monotonic() - begun) * 1000)
        return provider_of(printed, child)
    except BaseException:
        child.stop()
        raise


def _is_ready(issuer: str) -> bool | None:
    try:
        answer = httpx.get(f"{issuer}/readyz", timeout=5)
    except httpx.TransportError:
        return None
    return True if answer.status_code == 200 else None


def _registered(settings: Settings, folder: Path) -> dict[str, Any]:
    """What `gongmu demo --json` would print."""
    parts = open_services(settings)
    try:
        register = RelyingParties(
            parts.engine,
            parts.journal,
            parts.keys.secret("client-secrets"),
            parts.now,
            loopback=True,
        )
        parties = {party.client_id: _added(register, party) for party in _parties(settings.issuer)}
        return {
            "issuer": settings.issuer,
            "relying_parties": parties,
            "automation": _automation(register, settings.issuer),
            "people": [_person(official) for official in parts.people.search("", 500)],
            "wallet_url": f"{settings.issuer}/wallet",
            "trust_anchors": {use.value: _anchor(parts, use, folder) for use in _ANCHORS},
        }
    finally:
        parts.engine.dispose()


_ANCHORS = (Use.VERIFIER, Use.ISSUER)


def _parties(issuer: str) -> list[RelyingParty]:
    del issuer
    lab = RelyingParty(
        client_id="lab",
        name_ko="실험실",
        name_en="Lab",
        redirect_uris=("http://localhost:9999/callback",),
        minimum_acr="urn:gongmu:acr:1",
        consent="trusted",
    )
    return [
        lab,
        replace(
            lab,
            client_id="mail",
            name_ko="메일",
            name_en="Mail",
            kind="mail",
            redirect_uris=("http://localhost:9998/callback",),
            minimum_acr="urn:gongmu:acr:2",
        ),
    ]


def _added(register: RelyingParties, party: RelyingParty) -> dict[str, Any]:
    secret = register.add(party, "cli:test")
    return {
        "client_id": party.client_id,
        "client_secret": secret,
        "redirect_uris": list(party.redirect_uris),
        "url": party.redirect_uris[0],
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
    secret = register.add(party, "cli:test")
    return {
        "client_id": party.client_id,
        "client_secret": secret,
        "scope": " ".join(API_SCOPE),
    }


def _person(official: Official) -> dict[str, Any]:
    roles = [group for group in official.groups if group.startswith("gongmu-")]
    return {
        "personnel_number": official.personnel_number,
        "name": official.name,
        "agency": official.agency,
        "state": official.state.value,
        "roles": roles,
    }


def _anchor(parts: Services, use: Use, folder: Path) -> str:
    file = folder / f"{use.value}-anchor.pem"
    [der] = parts.keys.trust_anchors(use)
    file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return str(file)


if __name__ == "__main__":  # a provider to play with: python -m tests.stack FOLDER REDIS SQL
    running = start_stack(Path(sys.argv[1]), sys.argv[2], sys.argv[3], demo_directories())
    print(json.dumps({"issuer": running.issuer}))  # noqa: T201
    running.child.process.wait()
