"""The `sub`: one person's for ever, another at each sector, nobody else's afterwards (A-089, I-5)."""

from dataclasses import replace

import pytest

from idp.contracts import Official
from idp.errors import ConfError
from tests.fakes.jws import claims_of
from tests.unit.oidc.scene import HONG, KIM, Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem


def sub_of(world: World, party: Registered, official: Official) -> str:
    """As the party learns it, by a sign-in."""
    browser, asked = world.browser(), Asked(party)
    world.sign_in(browser, official)
    tokens = redeem(browser, asked, code_of(world, browser, asked)).json
    return str(claims_of(tokens["id_token"])["sub"])


def test_a089_a_sub_is_never_anybody_elses(world: World, mail: Registered) -> None:
    """Who leaves takes it along; a name, an address or a place in the directory does not bring it back."""
    hong = sub_of(world, mail, HONG)
    world.directory.people.pop(HONG.personnel_number)
    heir = replace(HONG, personnel_number="E300")  # the same name, mail and post
    world.directory.people["E300"] = heir
    found = {hong, sub_of(world, mail, heir), sub_of(world, mail, KIM)}
    assert len(found) == 3
    world.directory.people[HONG.personnel_number] = replace(HONG, name="홍길순", mail="new@x.kr")
    assert sub_of(world, mail, HONG) == hong  # back after years, under another name
    assert mail.client_id not in found


def test_a089_parties_that_do_not_belong_together_cannot_compare(world: World) -> None:
    apart = [world.register(name) for name in ("one", "two")]
    together = [world.register(name, sector="shared.example") for name in ("three", "four")]
    assert len({sub_of(world, party, HONG) for party in apart}) == 2
    assert len({sub_of(world, party, HONG) for party in together}) == 1
    hosts = ("https://a.example/cb", "https://b.example/cb")
    with pytest.raises(ConfError, match="sector"):
        world.register("five", redirect_uris=hosts)
