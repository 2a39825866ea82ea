"""Sessions over HTTP: what ends them at once, how many there may be (A-045, A-124, A-131, A-132)."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from idp.contracts import State
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import HONG, Asked, sent_back

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]
AUTHORIZE = "/oauth/authorize"
MANY = 12


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gongmu"), redis_url, sql_url) as provider:
        provider.parties["asking"] = provider.world.register("asking", consent="always")
        yield provider


def form_of(answer: httpx.Response, action: str) -> tuple[str, dict[str, str]]:
    """The address and the hidden fields of a form on a page."""
    found = re.search(rf'action="({action})".*?</form>', answer.text, re.DOTALL)
    assert found, answer.text
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', found[0])
    return found[1], {name: unescape(value) for name, value in fields if name != "decision"}


def test_a045_a_form_is_answered_by_303(gongmu: Running) -> None:
    """A 307 would send the form on to whoever is redirected to (R-013)."""
    with gongmu.signed_in() as browser:
        asked = Asked(gongmu.party("asking"))
        page = browser.get(AUTHORIZE, params=asked.parameters())
        address, fields = form_of(page, '/oauth/consent/[^"]+')
        answers = [browser.post(address, data={**fields, "decision": "allow"})]
        assert answers[0].headers["location"].startswith(asked.registered.redirect_uri)
        answers.append(browser.post(AUTHORIZE, data=Asked(gongmu.party()).parameters()))
        answers.append(browser.post("/language", data={"next": "/account", "lang": "en"}))
        account = browser.get("/account")
        address, fields = form_of(account, '/account/sessions/[^"]+/end')
        answers.append(browser.post(address.replace("/end", "x/end"), data=fields))
        bye = gongmu.party().party.post_logout_redirect_uris[0]
        query = {"client_id": "mail", "post_logout_redirect_uri": bye}
        address, fields = form_of(browser.get("/oauth/logout", params=query), "/oauth/logout")
        answers.append(browser.post(address, data=fields))
        assert answers[-1].headers["location"] == bye
    with gongmu.client() as stranger:
        answers.append(stranger.post(AUTHORIZE, data=Asked(gongmu.party()).parameters()))
        answers.append(stranger.post("/oauth/logout", data=query))
    assert [answer.status_code for answer in answers] == [303] * len(answers)


def test_a124_consent_for_another_client_or_scope(gongmu: Running) -> None:
    """A decision is for what the page showed, and for this person in this browser."""
    with gongmu.signed_in() as browser, gongmu.signed_in() as other:
        asked = Asked(gongmu.party("asking"))
        mine, fields = form_of(
            browser.get(AUTHORIZE, params=asked.parameters()), '/oauth/consent/[^"]+'
        )
        elsewhere = Asked(gongmu.party("asking"))
        theirs, foreign = form_of(
            other.get(AUTHORIZE, params=elsewhere.parameters()), '/oauth/consent/[^"]+'
        )
        allow = {"decision": "allow"}
        assert browser.post(mine, data={**foreign, **allow}).status_code == 403
        assert browser.post(theirs, data={**fields, **allow}).status_code == 403
        assert browser.post(theirs, data={**foreign, **allow}).status_code in (403, 404)
        more = {"scope": "openid email groups", "client_id": "other", "claims": "{}"}
        answer = browser.post(mine, data={**fields, **more, **allow})
        code = sent_back(answer.headers["location"])["code"]
        assert gongmu.redeem(asked, code).json()["scope"] == "openid profile"


def test_a131_a_person_who_leaves_is_out_at_the_next_request(gongmu: Running) -> None:
    """Everywhere at once: userinfo, introspection, refresh, the code, the session."""
    party = gongmu.party()
    with gongmu.signed_in() as browser, gongmu.client() as backend:
        asked, pending = Asked(party), Asked(party)
        scope = "openid profile offline_access"
        tokens = gongmu.redeem(asked, gongmu.code(asked, browser, scope=scope)).json()
        code = gongmu.code(pending, browser)
        assert gongmu.userinfo(tokens["access_token"]).status_code == 200
        gongmu.world.directory.change(HONG.personnel_number, state=State.RETIRED)
        try:
            assert gongmu.userinfo(tokens["access_token"]).status_code == 401
            form = {"token": tokens["access_token"]}
            told = backend.post("/oauth/introspect", data=form, headers=party.basic)
            assert told.json() == {"active": False}
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            told = backend.post("/oauth/token", data=form, headers=party.basic)
            assert told.json()["error"] == "invalid_grant"
            assert gongmu.redeem(pending, code).json()["error"] == "invalid_grant"
            query = Asked(party).parameters(prompt="none")
            told = browser.get(AUTHORIZE, params=query)
            assert sent_back(told.headers["location"])["error"] == "login_required"
            assert browser.get("/account").status_code == 401
        finally:
            gongmu.world.directory.change(HONG.personnel_number, state=State.ACTIVE)
        assert browser.get("/account").status_code == 401  # the session itself is over


def test_a132_as_many_sessions_as_browsers_each_listed_and_ended(gongmu: Running) -> None:
    """No limit, as docs/operations.md says; each is listed, and all end at once."""
    browsers = [gongmu.signed_in() for _ in range(MANY)]
    try:
        first, *others = browsers
        page = first.get("/account")
        listed = set(re.findall(r"/account/sessions/([\w-]+)/end\"", page.text))
        assert len(listed) >= MANY
        address, fields = form_of(page, "/account/sessions/end-all")
        assert first.post(address, data=fields).status_code == 200
        assert {one.get("/account").status_code for one in (first, *others)} == {401}
    finally:
        for one in browsers:
            one.close()


def test_an_idle_session_is_listed_and_ended_too(gongmu: Running) -> None:
    """It opens nothing any more, but what was granted in it lives on until it ends."""
    party, asked = gongmu.party(), Asked(gongmu.party())
    with gongmu.signed_in() as idle, gongmu.client() as backend:
        code = gongmu.code(asked, idle, scope="openid offline_access")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": gongmu.redeem(asked, code).json()["refresh_token"],
        }
        gongmu.world.clock.forward(gongmu.world.parts.settings.lifetimes.session_idle_s + 1)
        try:
            assert idle.get("/account").status_code == 401
            answer = backend.post("/oauth/token", data=form, headers=party.basic)
            form["refresh_token"] = answer.json()["refresh_token"]
            with gongmu.signed_in() as browser:
                address, fields = form_of(browser.get("/account"), "/account/sessions/end-all")
                assert browser.post(address, data=fields).status_code == 200
            answer = backend.post("/oauth/token", data=form, headers=party.basic)
            assert answer.json()["error"] == "invalid_grant"
        finally:
            gongmu.world.clock.at = None
