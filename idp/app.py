"""The only place where the parts meet: `open_services` builds them, `create_app` gives them HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import entry_points
from ipaddress import ip_network
from typing import Any

from flask import Flask

from idp import bodies, browser, client_secrets, fast_path, oidc, problems, randomness, sender
from idp.admin import api
from idp.conf import Settings
from idp.contracts import Kit, MethodKit, SiteKit
from idp.cutoff import Cutoff
from idp.errors import ConfError, Problem
from idp.expiry import end_expired
from idp.fetch import Fetcher
from idp.journal import Journal
from idp.key_sets import KeySets
from idp.keys import KeyRing
from idp.logins import Logins
from idp.passkeys import PasskeyRegister
from idp.paths import TEMPLATES
from idp.people import People
from idp.relying_parties import RelyingParties
from idp.self_registration import SelfRegistration
from idp.services import Services
from idp.sessions import Sessions
from idp.signals import Chore, Courier, Logout, Poster
from idp.signals.outbox import LOGOUT
from idp.store.short import RedisShort, open_short
from idp.store.sql import open_engine
from idp.web import account, enrol, guard, home, login_pages, pages, wallet


def utc_now() -> datetime:
    """The clock of a running provider."""
    return datetime.now(UTC)


def open_services(settings: Settings, now: Callable[[], datetime] = utc_now) -> Services:
    """Every part of a provider. Stores connect lazily; keys that are missing are made.

    Raises ConfError when a table names a part that is not installed.
    """
    engine = open_engine(settings.stores)
    journal = Journal(engine, now)
    keys = KeyRing(engine, journal, settings, now)
    keys.ensure()
    short = _open_short(settings, keys.secret("short-lived"))
    fetcher = Fetcher(settings.issuer, tuple(map(ip_network, settings.outbound.private_networks)))
    kit = _kit(settings.issuer, keys, fetcher, now)
    people = People(_open_all("idp.directories", settings.directories, kit), engine, now)
    cutoff = Cutoff(engine, journal, people, settings.issuer, now)
    kit = replace(kit, own_status=cutoff.own_status)
    passkeys = PasskeyRegister(
        engine, journal, keys.secret("passkey-handles"), settings.passkeys.per_person, now
    )
    method_kit = MethodKit(**_fields(kit), passkeys=passkeys)
    relying_parties = RelyingParties(
        engine,
        journal,
        keys.secret("client-secrets"),
        now,
        loopback=settings.environment == "demo",
        algorithms=settings.keys.algorithms,
        get=fetcher.get,
    )
    return Services(
        settings=settings,
        now=now,
        engine=engine,
        short=short,
        journal=journal,
        keys=keys,
        people=people,
        cutoff=cutoff,
        sessions=Sessions(engine, journal, settings.lifetimes, now),
        passkeys=passkeys,
        relying_parties=relying_parties,
        self_registration=SelfRegistration(
            engine, journal, relying_parties, keys.secret("registration"), now
        ),
        key_sets=KeySets(fetcher.get, settings.server.blocking_threads),
        logins=Logins(short, now, settings.lifetimes.login_s),
        kit=kit,
        methods=_open_named("idp.methods", settings.methods, lambda _name: method_kit),
        sites=_open_named(
            "idp.sites", settings.sites, partial(_site_kit, kit, short, cutoff, journal)
        ),
        adapters=_open_adapters(settings, kit),
    )


def create_app(settings: Settings, parts: Services | None = None) -> Flask:
    """The WSGI application; `parts` when they are open already."""
    app = Flask("idp", template_folder=str(TEMPLATES), static_folder=None)
    app.extensions["gongmu"] = parts or open_services(settings)
    app.url_map.merge_slashes = (
        False  # a redirect of the router would follow the Host header
    )
    problems.register(app)
    home.init_app(app)
    pages.init_app(app)
    guard.init_app(app)
    app.after_request(browser.keep_cookies)
    app.after_request(sender.keep_nonce)
    for blueprint in (
        home.blueprint,
        login_pages.blueprint,
        wallet.blueprint,
        account.blueprint,
        enrol.blueprint,
        oidc.create_blueprint(),
        api.blueprint,
    ):
        app.register_blueprint(blueprint)
    for site in app.extensions["gongmu"].sites.values():
        app.register_blueprint(site.blueprint)
    fast_path.install(app)
    guarded = bodies.guard(app.wsgi_app, settings.server.blocking_threads)
    app.wsgi_app = guarded  # type: ignore[method-assign, assignment]  # Flask's documented way to wrap it
    return app


def open_courier(parts: Services) -> Courier:
    """Who tells relying parties that a session has ended; to be started in a process that serves."""
    settings = parts.settings
    post = Poster(loopback=settings.environment == "demo")
    logout = Logout(settings.issuer, parts.relying_parties, parts.keys, post, parts.now)
    return Courier(
        parts.engine,
        parts.journal,
        {LOGOUT: logout},
        parts.now,
        chores=(
            Chore(5.0, partial(end_expired, parts.engine, parts.journal, parts.now)),
            Chore(client_secrets.EVERY_S, parts.relying_parties.secrets.write_used),
        ),
    )


def _open_short(settings: Settings, secret: bytes) -> RedisShort:
    stores = settings.stores
    password = (
        stores.redis_password_file.read_text().strip() if stores.redis_password_file else None
    )
    return open_short(stores.redis_url, password, stores.timeout_s, secret)


def _kit(issuer: str, keys: KeyRing, fetcher: Fetcher, now: Callable[[], datetime]) -> Kit:
    """What every part gets; it knows no mobile ID of ours yet."""
    return Kit(
        base_url=issuer,
        now=now,
        token=randomness.token,
        sign=keys.sign,
        certificates=keys.certificates,
        trust_anchors=keys.trust_anchors,
        fetch=fetcher.get,
        own_status=lambda _uri, _index: None,
    )


def _fields(kit: Kit) -> dict[str, Any]:
    return {name: getattr(kit, name) for name in Kit.__slots__}


def _site_kit(kit: Kit, short: RedisShort, cutoff: Cutoff, journal: Journal, name: str) -> SiteKit:
    return SiteKit(
        **_fields(kit),
        short=short.namespace(name),
        mobile_ids=cutoff,
        record=journal.record_alone,
    )


def _class(group: str, name: str) -> Any:
    for point in entry_points(group=group):
        if point.name == name:
            return point.load()
    known = ", ".join(sorted(point.name for point in entry_points(group=group)))
    raise ConfError([Problem("configuration", f"{group}.{name}", None, name, known)])


def _settings(group: str, kind: str, table: Any) -> Any:
    """A part's settings: as validated by conf_file, or from the plain table."""
    return _class(group, kind).model_validate(table) if isinstance(table, Mapping) else table


def _open_named(
    group: str, tables: Mapping[str, Any], kit_of: Callable[[str], Kit]
) -> dict[str, Any]:
    return {
        name: _settings(group, name, table).open(kit_of(name)) for name, table in tables.items()
    }


def _open_all(group: str, tables: Mapping[str, Any], kit: Kit) -> list[Any]:
    opened = []
    for name, table in tables.items():
        if isinstance(table, Mapping):
            rest = {key: value for key, value in table.items() if key != "type"}
            part = _settings(group, str(table["type"]), {**rest, "name": name})
        else:
            part = table
        opened.append(part.open(kit))
    return opened


def _open_adapters(settings: Settings, kit: Kit) -> dict[str, Any]:
    """One adapter per installed kind; a table of that kind changes its defaults."""
    group = "idp.relying_parties"
    return {
        point.name: _settings(group, point.name, settings.relying_parties.get(point.name, {})).open(
            kit
        )
        for point in entry_points(group=group)
    }
