"""All parts of one running provider, as one frozen value that routes ask for; built in `app.py` only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app
from sqlalchemy import Engine

from idp.conf import Settings
from idp.contracts import Kit, LoginMethod, RelyingPartyAdapter, Site
from idp.cutoff import Cutoff
from idp.journal import Journal
from idp.key_sets import KeySets
from idp.keys import KeyRing
from idp.logins import Logins
from idp.passkeys import PasskeyRegister
from idp.people import People
from idp.relying_parties import RelyingParties
from idp.self_registration import SelfRegistration
from idp.sessions import Sessions
from idp.store.short import RedisShort


@dataclass(frozen=True, slots=True)
class Services:
    """What a request may need. Everything in it is safe for threads."""

    settings: Settings
    now: Callable[[], datetime]
    engine: Engine
    short: RedisShort
    journal: Journal
    keys: KeyRing
    people: People
    cutoff: Cutoff
    sessions: Sessions
    passkeys: PasskeyRegister
    relying_parties: RelyingParties
    self_registration: SelfRegistration
    key_sets: KeySets
    logins: Logins
    kit: Kit
    methods: Mapping[str, LoginMethod]
    sites: Mapping[str, Site]
    adapters: Mapping[str, RelyingPartyAdapter]


def services() -> Services:
    """Those of the application that answers this request."""
    return cast("Services", current_app.extensions["gongmu"])
