"""A whole provider around `idp/oidc`: real SQL, keys and pages; people, a clock and a store of the test's own."""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from sqlalchemy import update

from idp import randomness
from idp.app import create_app
from idp.conf import Keys, Lifetimes, Server, Settings, Stores
from idp.contracts import Identifier, JsonObject, Kit, Official, Proof, State
from idp.cutoff import Cutoff
from idp.errors import AccessDenied, OutsideError
from idp.events import Reason
from idp.journal import Journal
from idp.key_sets import KeySets
from idp.keys import KeyRing
from idp.login import (
    AuthorizationRequest,
    Person,
    Started,
    Ticket,
    Waiting,
    Wire,
    bind,
    prove,
)
from idp.logins import Logins
from idp.passkeys import PasskeyRegister
from idp.people import People
from idp.relying_parties import RelyingParties, RelyingParty
from idp.self_registration import SelfRegistration
from idp.services import Services
from idp.sessions import Session, Sessions
from idp.store.short import RedisShort
from idp.store.sql import open_engine, transaction
from idp.store.tables import grants, metadata, sessions
from tests.fakes.short import MemoryShort

START = datetime(2027, 3, 5, 9, 41, 23, tzinfo=UTC)
ACR_1, ACR_2 = "urn:gongmu:acr:1", "urn:gongmu:acr:2"
HONG = Official(
    source="esaram",
    personnel_number="E100",
    state=State.ACTIVE,
    name="홍길동",
    agency="행정안전부",
    department="디지털정부실",
    rank="행정사무관",
    mail="hong@example.go.kr",
    groups=("mail-users",),
)
KIM = replace(HONG, personnel_number="E200", name="김철수", mail="kim@example.go.kr")


@dataclass
class Clock:
    """Real time when `at` is None, else what the test says."""

    at: datetime | None = START

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)

    def forward(self, seconds: float) -> None:
        self.at = self() + timedelta(seconds=seconds)


class FakeDirectory:
    """contracts.Directory over a dictionary."""

    name = "esaram"

    def __init__(self) -> None:
        self.people = {one.personnel_number: one for one in (HONG, KIM)}
        self.away = False

    def find(self, personnel_number: str) -> Official | None:
        if self.away:
            raise OutsideError("esaram", "away")
        return self.people.get(personnel_number)

    def search(self, text: str, limit: int) -> list[Official]:
        return [one for one in self.people.values() if text in one.name][:limit]

    def check(self) -> None:
        if self.away:
            raise OutsideError("esaram", "away")

    def change(self, personnel_number: str, **changes: Any) -> None:
        self.people[personnel_number] = replace(self.people[personnel_number], **changes)


class FakeAdapter:
    """contracts.RelyingPartyAdapter: `closed` lets nobody in; it also tries to forge protocol claims."""

    closed = False

    def admit(self, official: Official) -> None:
        if self.closed:
            raise AccessDenied(official.source, reason=Reason.NOT_ADMITTED)

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:
        room = {"room": official.department} if "profile" in scope else {}
        return {**room, "sub": "forged", "acr": "phrh"}


@dataclass
class Registered:
    """A relying party with what it knows."""

    party: RelyingParty
    secret: str

    @property
    def client_id(self) -> str:
        return self.party.client_id

    @property
    def redirect_uri(self) -> str:
        return self.party.redirect_uris[0]

    @property
    def basic(self) -> dict[str, str]:
        text = f"{self.client_id}:{self.secret}".encode()
        return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


@dataclass
class Asked:
    """One authorization request, and the secret that redeems its code."""

    registered: Registered
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def parameters(self, **changed: str | None) -> dict[str, str]:
        """A good request with some parameters changed; None leaves one out."""
        good = {
            "response_type": "code",
            "client_id": self.registered.client_id,
            "redirect_uri": self.registered.redirect_uri,
            "scope": "openid profile",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changed,
        }
        return {name: value for name, value in good.items() if value is not None}

    def form(self, code: str, **changed: str | None) -> dict[str, str]:
        """The token request for a code, without client authentication."""
        good = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registered.redirect_uri,
            "code_verifier": self.verifier,
            **changed,
        }
        return {name: value for name, value in good.items() if value is not None}


class World:
    """The provider, its people and relying parties."""

    def __init__(
        self,
        folder: Path,
        issuer: str = "http://localhost",
        clock: Clock | None = None,
        short: RedisShort | None = None,
        algorithms: Iterable[str] = ("ES256", "EdDSA"),
        *,
        server: Server | None = None,
        stores: Stores | None = None,
        **more: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.directory = FakeDirectory()
        self.adapter = FakeAdapter()
        self.memory = MemoryShort(self.clock)
        self.parts = _services(
            Settings(
                issuer=issuer,
                environment="demo",
                server=server or Server(),
                stores=stores or Stores(sql_url=f"sqlite:///{folder}/gongmu.db"),
                keys=Keys(
                    key_encryption_key_file=folder / "kek",
                    algorithms=cast("Any", tuple(algorithms)),
                ),
                lifetimes=Lifetimes(directory_state_s=0),
                **more,
            ),
            self,
            short or cast("RedisShort", self.memory),
        )
        self.app = create_app(self.parts.settings, self.parts)

    def close(self) -> None:
        self.parts.engine.dispose()

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def register(self, client_id: str = "mail", **changes: Any) -> Registered:
        """A relying party at https://<client_id>.example/cb."""
        settings = {
            "name_ko": "메일",
            "name_en": "Mail",
            "redirect_uris": (f"https://{client_id}.example/cb",),
            "post_logout_redirect_uris": (f"https://{client_id}.example/bye",),
            "response_modes": ("query", "fragment", "form_post"),
            **changes,
        }
        party = RelyingParty(client_id=client_id, **settings)
        return Registered(party, self.parts.relying_parties.add(party, "test"))

    def sign_in(self, browser: FlaskClient, official: Official = HONG, acr: str = ACR_2) -> Session:
        """A session of that person in that browser, as the login pages would leave it."""
        session, cookie = self.new_session(official, acr)
        browser.set_cookie("gongmu-session", cookie)
        return session

    def new_session(self, official: Official = HONG, acr: str = ACR_2) -> tuple[Session, str]:
        parts = self.parts
        proof = Proof(
            Identifier(parts.settings.issuer, official.personnel_number),
            frozenset({"pop"}),
            frozenset(),
            self.clock(),
        )
        with transaction(parts.engine) as connection:
            subject = parts.people.subject(connection, proof.identifier)
        person = Person(subject, official.source, official.personnel_number, official.name)
        session_id = randomness.token(16)
        bound = bind(prove(self._waiting(), proof, person, "d"), "qr", "return_code")
        cookie = parts.sessions.start(bound, session_id, acr, ("pop",))
        session = parts.sessions.get(session_id)
        assert session is not None
        return session, cookie

    def _waiting(self) -> Waiting:
        asked = AuthorizationRequest("mail", "https://x", "query", ("openid",), None, None, "")
        now = self.clock()
        ticket = Ticket("i", randomness.token(16), "b", asked, "mail", ACR_2, now, now)
        return Waiting(Started(ticket).ticket, Wire("mobile_id", "h", "n", "s", {}, now))

    def events(self, **match: str) -> list[dict[str, Any]]:
        return self.parts.journal.read(limit=200, **match)

    def end_all(self) -> None:
        """Every session and grant is gone, as after a loss report."""
        with transaction(self.parts.engine) as connection:
            for table in (sessions, grants):
                connection.execute(update(table).values(ended_at=self.clock()))


def _services(settings: Settings, world: World, short: RedisShort) -> Services:
    clock = world.clock
    engine = open_engine(settings.stores)
    metadata.create_all(engine)
    journal = Journal(engine, clock)
    keys = KeyRing(engine, journal, settings, clock)
    keys.ensure()
    people = People([world.directory], engine, clock)
    kit = Kit(
        base_url=settings.issuer,
        now=clock,
        token=randomness.token,
        sign=keys.sign,
        certificates=keys.certificates,
        trust_anchors=keys.trust_anchors,
        fetch=lambda _url, _accept: b"",
        own_status=lambda _uri, _index: None,
    )
    parties = RelyingParties(engine, journal, keys.secret("client-secrets"), clock, loopback=True)
    return Services(
        settings=settings,
        now=clock,
        engine=engine,
        short=short,
        journal=journal,
        keys=keys,
        people=people,
        cutoff=Cutoff(engine, journal, people, settings.issuer, clock),
        sessions=Sessions(engine, journal, settings.lifetimes, clock),
        passkeys=PasskeyRegister(engine, journal, b"handles", 10, clock),
        relying_parties=parties,
        self_registration=SelfRegistration(
            engine, journal, parties, keys.secret("registration"), clock
        ),
        key_sets=KeySets(kit.fetch, 8),
        logins=Logins(short, clock, settings.lifetimes.login_s),
        kit=kit,
        methods={},
        sites={},
        adapters={"internal": world.adapter},
    )


def sent_back(location: str) -> dict[str, str]:
    """The authorization response in an address, from the query or the fragment; each name once."""
    parts = urlsplit(location)
    found = parse_qs(parts.query or parts.fragment, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values()), location
    return {name: values[0] for name, values in found.items()}
