"""A production provider that lets invited parties register: real stores, an https issuer, no loopback."""

import json
import os
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import update

from idp.services import Services
from idp.store.sql import transaction
from idp.store.tables import initial_access_tokens
from tests.provider import GONGMU, ROOT, is_ready
from tests.servers import Child, free_port
from tests.stack import services_of

ISSUER = "https://id.example.go.kr"
SIGNER = ECKey.generate_key("P-256", {"kid": "signer"})
GOOD = {"redirect_uris": ["https://board.example.go.kr/callback"], "client_name": "Board"}
CONFIGURATION = """issuer = "{issuer}"
log_level = "warning"
[server]
host = "127.0.0.1"
port = {port}
workers = 2
[stores]
redis_url = "{redis_url}"
sql_url = "{sql_url}"
[keys]
key_encryption_key_file = "kek"
algorithms = ["ES256"]
[registration]
enabled = true
software_statement_jwks_file = "signers.json"
[directories.esaram]
type = "ldif"
file = "{root}/conf/demo/esaram.ldif"
base_dn = "ou=people,dc=esaram,dc=example"
groups_base_dn = "ou=groups,dc=esaram,dc=example"
"""


@dataclass(frozen=True, slots=True)
class Registrar:
    """The running provider and what an insider does with it."""

    client: httpx.Client
    parts: Services

    def call(self, method: str, path: str = "", token: str = "", **options: Any) -> httpx.Response:
        """A call to the registration endpoint, or to one record of it."""
        headers = options.pop("headers", {})
        if token:
            headers = {"Authorization": f"Bearer {token}", **headers}
        return self.client.request(method, f"/oauth/register{path}", headers=headers, **options)

    def invite(self, uses: int = 1, *, expired: bool = False) -> str:
        """An initial access token."""
        made, token = self.parts.self_registration.invite("test", uses, 1, "cli:tests")
        if expired:
            past = datetime.now(UTC) - timedelta(seconds=1)
            mine = initial_access_tokens.c.id == made.id
            with transaction(self.parts.engine) as connection:
                connection.execute(
                    update(initial_access_tokens).where(mine).values(expires_at=past)
                )
        return token

    def registered(self, **metadata: Any) -> "Own":
        """A party that registered itself."""
        answer = self.call("POST", token=self.invite(), json={**GOOD, **metadata})
        assert answer.status_code == 201, answer.text
        return Own(self, answer.json())

    def events(self, limit: int = 20, **match: str) -> list[dict[str, Any]]:
        return self.parts.journal.read(limit=limit, **match)

    def parties(self) -> set[str]:
        return {party.client_id for party in self.parts.relying_parties.all()}

    def set_disabled(self, client_id: str, disabled: bool) -> None:  # noqa: FBT001 - the state itself
        self.parts.relying_parties.set_disabled(client_id, disabled, "cli:tests")

    def token(self, **form: str) -> httpx.Response:
        return self.client.post("/oauth/token", data=form)


@dataclass(frozen=True, slots=True)
class Own:
    """A party and what it was told when it registered."""

    registrar: Registrar
    told: dict[str, Any]

    @property
    def client_id(self) -> str:
        return str(self.told["client_id"])

    @property
    def access_token(self) -> str:
        return str(self.told["registration_access_token"])

    def call(self, method: str, token: str | None = None, **options: Any) -> httpx.Response:
        used = self.access_token if token is None else token
        return self.registrar.call(method, f"/{self.client_id}", used, **options)

    def put(self, token: str | None = None, **metadata: Any) -> httpx.Response:
        body = {**GOOD, "client_id": self.client_id, **metadata}
        return self.call("PUT", token, json={k: v for k, v in body.items() if v is not None})


def statement(key: ECKey = SIGNER, **claims: Any) -> str:
    """A software statement."""
    header = {"alg": "ES256", "kid": key.kid or "signer"}
    return jwt.encode(header, {"iss": "https://mois.example.go.kr", **claims}, key)


@contextmanager
def registrar(folder: Path, redis_url: str, sql_url: str) -> Iterator[Registrar]:
    """Serving on loopback, as behind a proxy that speaks TLS."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    file = folder / "gongmu.toml"
    values = {"issuer": ISSUER, "port": port, "redis_url": redis_url, "sql_url": sql_url}
    file.write_text(CONFIGURATION.format(**values, root=ROOT), encoding="utf-8")
    signers = {"keys": [SIGNER.as_dict(private=False)]}
    (folder / "signers.json").write_text(json.dumps(signers))
    kek = os.open(folder / "kek", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(kek, b64encode(secrets.token_bytes(32)))
    os.close(kek)
    command = [GONGMU, "--config", str(file)]
    subprocess.run([*command, "db", "upgrade"], check=True, capture_output=True, timeout=60)
    child = Child("registrar", [*command, "serve"])
    try:
        child.wait_until(lambda: is_ready(url))
        with httpx.Client(base_url=url, timeout=20) as client, services_of(file) as parts:
            yield Registrar(client, parts)
    finally:
        child.stop()
