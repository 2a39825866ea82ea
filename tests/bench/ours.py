"""Gongmu for the bench: `gongmu serve` with one worker, the demo's people, two relying parties."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from idp import randomness
from idp.contracts import Identifier, Proof
from idp.login import AuthorizationRequest, Bound, Person, Ticket, Waiting, Wire, bind, prove
from idp.relying_parties import RelyingParties, RelyingParty
from idp.services import Services
from idp.store.sql import transaction
from tests.provider import GONGMU, Provider, is_ready, provider_of
from tests.servers import Child, free_port
from tests.stack import ACTOR, ldif_table, services_of

ACR = "urn:gongmu:acr:2"
PERSON = "E1000001"
CONFIGURATION = """issuer = "{issuer}"
environment = "demo"
log_level = "warning"
[server]
host = "127.0.0.1"
port = {port}
workers = 1
[stores]
redis_url = "{redis_url}"
sql_url = "{sql_url}"
[keys]
key_encryption_key_file = "key-encryption-key"
[methods.mobile_id]
[methods.fido2]
[sites.issuer]
[sites.wallet]
{directories}
"""


@dataclass(frozen=True, slots=True)
class Ours:
    """What the bench knows of our provider."""

    secrets: dict[str, str]
    cookie: str


def start(folder: Path, redis_url: str, sql_url: str) -> Provider:
    """A provider on those stores, ready."""
    port = free_port()
    issuer = f"http://localhost:{port}"
    file = folder / "gongmu.toml"
    values = {
        "issuer": issuer,
        "port": port,
        "redis_url": redis_url,
        "sql_url": sql_url,
        "directories": ldif_table("esaram") + ldif_table("insarang"),
    }
    file.write_text(CONFIGURATION.format(**values), encoding="utf-8")
    child = Child("gongmu", [GONGMU, "--config", str(file), "serve"])
    try:
        child.wait_until(lambda: is_ready(issuer))
    except BaseException:
        child.stop()
        raise
    printed = {
        "issuer": issuer,
        "relying_parties": {},
        "automation": {},
        "people": [],
        "wallet_url": f"{issuer}/wallet",
        "trust_anchors": {},
        "ready_ms": 0,
    }
    return replace(provider_of(printed, child), conf_file=file)


def registered(provider: Provider) -> Ours:
    """Relying parties and a person who is signed in, written as the provider itself writes them."""
    assert provider.conf_file is not None
    with services_of(provider.conf_file) as parts:
        register = RelyingParties(
            parts.engine,
            parts.journal,
            parts.keys.secret("client-secrets"),
            parts.now,
            loopback=True,
        )
        secrets = {name: register.add(_mail(name), ACTOR) for name in ("mail", "offline")}
        secrets["program"] = register.add(_program(provider.issuer), ACTOR)
        provider.automation.update(
            client_id="program", client_secret=secrets["program"], scope="gongmu:issue"
        )
        provider.relying_parties["mail"] = {
            "client_id": "mail",
            "client_secret": secrets["mail"],
            "redirect_uris": ["https://mail.example/cb"],
        }
        return Ours(secrets, f"gongmu-session={_sign_in(parts)}")


def _mail(client_id: str) -> RelyingParty:
    return RelyingParty(
        client_id=client_id,
        name_ko="메일",
        name_en="Mail",
        redirect_uris=(f"https://{client_id}.example/cb",),
        minimum_acr=ACR,
    )


def _program(issuer: str) -> RelyingParty:
    return RelyingParty(
        client_id="program",
        name_ko="자동화",
        name_en="Automation",
        grant_types=("client_credentials",),
        scope=("gongmu:people", "gongmu:issue", "gongmu:events"),
        audience=f"{issuer}/api/v1",
    )


def _sign_in(parts: Services) -> str:
    """A session as the login pages leave it; gives the cookie's value."""
    now = parts.now()
    official = parts.people.find(PERSON)
    identifier = Identifier(parts.settings.issuer, official.personnel_number)
    with transaction(parts.engine) as connection:
        subject = parts.people.subject(connection, identifier)
    asked = AuthorizationRequest("mail", "https://x", "query", ("openid",), None, None, "")
    later = now + timedelta(seconds=60)
    journey = randomness.token(16)
    ticket = Ticket("bench", journey, "b", asked, "mail", ACR, now, later)
    waiting = Waiting(ticket, Wire("mobile_id", "h", "n", "s", {}, now))
    proof = Proof(identifier, frozenset({"pop"}), frozenset(), now)
    person = Person(subject, official.source, official.personnel_number, official.name)
    bound = bind(prove(waiting, proof, person, "d"), "qr", "return_code")
    assert isinstance(bound, Bound)
    return parts.sessions.start(bound, randomness.token(16), ACR, ("pop",))
