"""The session of a device: what ends at the very moment it begins opens nothing (I-1, I-11)."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from idp import randomness
from idp.errors import AccessDenied
from idp.events import Reason
from idp.oidc import device_session
from idp.sessions import Session
from idp.store.sql import transaction
from idp.store.tables import cut_offs, sessions
from tests.unit.oidc.scene import World


@pytest.fixture
def owner(world: World) -> Session:
    return world.new_session(acr="phr")[0]


def start(world: World, owner: Session) -> Session:
    with world.app.test_request_context("/"):
        return device_session.start(owner, "printer", "Firefox, Android", "10.0.0.7", "floor 3")


def change(world: World, owner: Session, **values: Any) -> None:
    with transaction(world.parts.engine) as connection:
        connection.execute(update(sessions).where(sessions.c.id == owner.id).values(**values))


def test_it_rests_on_its_owners_sign_in(world: World, owner: Session) -> None:
    world.clock.forward(100)
    device = start(world, owner)
    assert device.id != owner.id
    for name in ("subject", "source", "personnel_number", "journey", "amr", "mobile_id"):
        assert getattr(device, name) == getattr(owner, name), name
    assert device.authenticated_at == owner.authenticated_at
    assert device.expires_at == owner.expires_at
    assert (device.method, device.acr) == ("device", "urn:gongmu:acr:2")
    assert device.device == "Firefox, Android"
    with transaction(world.parts.engine) as connection:
        hashes = connection.execute(select(sessions.c.cookie_hash)).scalars().all()
    assert len(set(hashes)) == len(hashes)
    [event] = world.events(kind="session:start:accepted")[:1]
    assert (event["session"], event["data"]["allowed_in"]) == (device.id, owner.id)


def test_a_weak_sign_in_is_not_made_stronger(world: World) -> None:
    owner, _cookie = world.new_session(acr="urn:gongmu:acr:1")
    assert start(world, owner).acr == "urn:gongmu:acr:1"


def is_refused(world: World, owner: Session, reason: Reason) -> None:
    before = len(world.events())
    with pytest.raises(AccessDenied) as refused:
        start(world, owner)
    assert refused.value.reason is reason
    assert len(world.events()) == before
    with transaction(world.parts.engine) as connection:
        assert len(connection.execute(select(sessions.c.id)).all()) == 1


def test_an_owner_who_signed_out_this_moment(world: World, owner: Session) -> None:
    change(world, owner, ended_at=world.clock())
    is_refused(world, owner, Reason.SESSION_OVER)


def test_a_loss_reported_this_moment(world: World, owner: Session) -> None:
    with transaction(world.parts.engine) as connection:
        row = {"id": randomness.token(16), "subject": owner.subject, "reason": "by_person"}
        connection.execute(insert(cut_offs).values(**row, at=world.clock()))
    is_refused(world, owner, Reason.CUT_OFF)


def test_a_mobile_id_or_passkey_stopped_this_moment(world: World, owner: Session) -> None:
    change(world, owner, mobile_id="gone")
    is_refused(world, owner, Reason.STATUS_REVOKED)
    change(world, owner, mobile_id="", passkey="gone")
    is_refused(world, owner, Reason.PASSKEY_REMOVED)
