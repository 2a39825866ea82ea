"""`/oauth/authorize`: sessions that answer, logins that follow, codes that come once."""

import json
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from idp.contracts import State, Use
from idp.events import Reason
from idp.login import Failed, Finished, Started
from tests.fakes.jws import decode
from tests.unit.oidc.scene import ACR_1, KIM, Asked, Registered, World, sent_back

ANSWERED = 303


def code_of(world: World, browser: FlaskClient, asked: Asked, **changed: str | None) -> str:
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    assert answer.status_code == ANSWERED, answer.text
    return sent_back(answer.headers["Location"])["code"]


def error_of(browser: FlaskClient, asked: Asked, **changed: str | None) -> str:
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    assert answer.status_code == ANSWERED, answer.text
    told = sent_back(answer.headers["Location"])
    assert told["state"] == asked.state
    assert told["iss"] == "http://localhost"
    assert "code" not in told
    return told["error"]


def login_of(world: World, browser: FlaskClient, asked: Asked, **changed: str | None) -> str:
    """The id of the login that a request begins."""
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    assert answer.status_code == ANSWERED, answer.text
    path = urlsplit(answer.headers["Location"]).path
    assert path.startswith("/login/"), answer.headers["Location"]
    return path.removeprefix("/login/")


def finish(world: World, browser: FlaskClient, login_id: str, **session: object) -> str:
    """Sign in for this login, as the login pages do; gives the session's id."""
    made = world.sign_in(browser, **session)
    stored = world.parts.logins.peek_for(login_id, _browser_hash(world, login_id))
    assert isinstance(stored.state, Started)
    world.parts.logins.change(stored, Finished(stored.state.ticket, None, made.id))
    return made.id


def _browser_hash(world: World, login_id: str) -> str:
    text = world.parts.short.get(f"login:{login_id}")
    assert text is not None
    return str(json.loads(text)["ticket"]["browser_hash"])


def test_without_a_session_a_login_begins_bound_to_this_browser(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    login_id = login_of(world, browser, asked, acr_values="phr nonsense", login_hint="hong")
    stored = world.parts.logins.peek_for(login_id, _browser_hash(world, login_id))
    assert stored.state.ticket.required_acr == "phr"
    assert stored.state.ticket.request.login_hint == "hong"
    other = world.browser()
    assert other.get(f"/oauth/authorize?login={login_id}").status_code == 404
    [event] = world.events(kind="login:browser:refused")
    assert event["reason"] == "other_browser"


def test_with_a_session_a_code_comes_at_once_with_its_event(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    session = world.sign_in(browser)
    answer = browser.get("/oauth/authorize", query_string=asked.parameters())
    told = sent_back(answer.headers["Location"])
    assert answer.headers["Location"].startswith("https://mail.example/cb?")
    assert (told["state"], told["iss"]) == (asked.state, "http://localhost")
    assert len(told["code"]) == 43
    assert answer.headers["Cache-Control"] == "no-store"
    [event] = world.events(kind="authorization:code:issued")
    assert (event["session"], event["relying_party"]) == (session.id, "mail")
    assert told["code"] not in str(world.memory.dump())  # kept only as a digest


def test_fragment_and_form_post(world: World, browser: FlaskClient, asked: Asked) -> None:
    world.sign_in(browser)
    answer = browser.get(
        "/oauth/authorize", query_string=asked.parameters(response_mode="fragment")
    )
    assert answer.headers["Location"].startswith("https://mail.example/cb#code=")
    answer = browser.get(
        "/oauth/authorize",
        query_string=asked.parameters(response_mode="form_post", state='"><script>alert(1)'),
    )
    assert answer.status_code == 200
    assert 'action="https://mail.example/cb"' in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' https://mail.example;" in policy
    assert "script-src 'self'" in policy


def test_a_query_in_the_redirect_uri_is_kept(world: World, browser: FlaskClient) -> None:
    party = world.register("app", redirect_uris=("https://app.example/cb?a=b",))
    world.sign_in(browser)
    answer = browser.get("/oauth/authorize", query_string=Asked(party).parameters())
    assert answer.headers["Location"].startswith("https://app.example/cb?a=b&code=")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none", "id_token_hint": "a.b.c"}, "login_required"),
        ({"id_token_hint": "a.b.c"}, "invalid_request"),
    ],
)
def test_without_a_session(
    browser: FlaskClient, asked: Asked, changed: dict[str, str], code: str
) -> None:
    assert error_of(browser, asked, **changed) == code


def test_silent_with_a_session(world: World, browser: FlaskClient, asked: Asked) -> None:
    world.sign_in(browser)
    code_of(world, browser, asked, prompt="none")


def test_silent_refusals(world: World, browser: FlaskClient, mail: Registered) -> None:
    world.sign_in(browser, acr=ACR_1)
    assert error_of(browser, Asked(mail), prompt="none") == "interaction_required"
    world.sign_in(browser)
    world.clock.forward(30)
    assert error_of(browser, Asked(mail), prompt="none", max_age="30") == "login_required"
    once = world.register("once", consent="once")
    assert error_of(browser, Asked(once), prompt="none") == "consent_required"
    world.directory.away = True
    assert error_of(browser, Asked(mail), prompt="none") == "temporarily_unavailable"
    world.directory.away = False
    world.adapter.closed = True
    assert error_of(browser, Asked(mail), prompt="none") == "access_denied"
    world.adapter.closed = False
    world.directory.change("E100", state=State.RETIRED)
    assert error_of(browser, Asked(mail), prompt="none") == "login_required"


def test_a_directory_that_is_away_lets_nobody_in(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    world.sign_in(browser)
    world.directory.away = True
    answer = browser.get("/oauth/authorize", query_string=asked.parameters())
    assert answer.status_code == 503
    assert "Location" not in answer.headers


def test_a_retired_person_loses_the_session_and_the_next_one_can_sign_in(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    session = world.sign_in(browser)
    world.directory.change("E100", state=State.RETIRED)
    answer = browser.get("/oauth/authorize", query_string=Asked(mail).parameters())
    assert answer.status_code == 403
    assert world.parts.sessions.get(session.id) is None
    login_of(world, browser, Asked(mail))


def test_one_not_admitted_keeps_the_session(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    session = world.sign_in(browser)
    world.adapter.closed = True
    answer = browser.get("/oauth/authorize", query_string=asked.parameters())
    assert answer.status_code == 403
    assert world.parts.sessions.get(session.id) is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "login"},
        {"prompt": "select_account"},
        {"max_age": "0"},
        {"max_age": "59"},
        {"acr_values": "phr"},
    ],
)
def test_a_session_that_does_not_do_leads_to_a_login(
    world: World, browser: FlaskClient, asked: Asked, changed: dict[str, str]
) -> None:
    world.sign_in(browser)
    world.clock.forward(60)
    login_of(world, browser, asked, **changed)


def test_a_weaker_wish_never_lowers_the_minimum(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    world.sign_in(browser, acr=ACR_1)
    login_id = login_of(world, browser, asked, acr_values=ACR_1)
    state = world.parts.logins.peek_for(login_id, _browser_hash(world, login_id)).state
    assert state.ticket.required_acr == "urn:gongmu:acr:2"


def test_a_finished_login_gives_its_code_once(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    login_id = login_of(world, browser, asked, prompt="login", max_age="0")
    world.clock.forward(40)
    finish(world, browser, login_id)
    world.clock.forward(3)
    first = browser.get(f"/oauth/authorize?login={login_id}")
    told = sent_back(first.headers["Location"])
    assert told["state"] == asked.state
    assert told["code"]
    again = browser.get(f"/oauth/authorize?login={login_id}")
    assert again.status_code == 403
    assert "Location" not in again.headers


def test_prompt_login_is_not_answered_by_an_older_session(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    """A-029: the login state alone does not stand in for a new sign-in."""
    world.sign_in(browser)
    world.clock.forward(60)
    login_id = login_of(world, browser, asked, prompt="login")
    world.clock.forward(-60)
    finish(world, browser, login_id)
    world.clock.forward(60)
    answer = browser.get(f"/oauth/authorize?login={login_id}")
    assert sent_back(answer.headers["Location"])["error"] == "login_required"


def test_a_finished_login_of_too_little_strength(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    login_id = login_of(world, browser, asked, acr_values="phr")
    finish(world, browser, login_id)
    answer = browser.get(f"/oauth/authorize?login={login_id}")
    told = sent_back(answer.headers["Location"])
    assert told["error"] == "unmet_authentication_requirements"


def test_a_finished_login_whose_session_is_over_or_another(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    login_id = login_of(world, browser, Asked(mail))
    session = finish(world, browser, login_id)
    world.sign_in(browser, official=KIM)  # someone else signs in at this browser
    assert browser.get(f"/oauth/authorize?login={login_id}").status_code == 403
    world.parts.sessions.end(session, Reason.BY_PERSON)
    assert browser.get(f"/oauth/authorize?login={login_id}").status_code == 403


def test_a_finished_login_of_a_party_since_disabled(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    login_id = login_of(world, browser, asked)
    finish(world, browser, login_id)
    world.parts.relying_parties.set_disabled("mail", True, "test")
    answer = browser.get(f"/oauth/authorize?login={login_id}")
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_declined_login_is_told_and_a_failed_one_is_not(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    asked = Asked(mail)
    login_id = login_of(world, browser, asked)
    stored = world.parts.logins.peek_for(login_id, _browser_hash(world, login_id))
    world.parts.logins.put(Failed(stored.state.ticket, None, Reason.DECLINED))
    told = sent_back(browser.get(f"/oauth/authorize?login={login_id}").headers["Location"])
    assert (told["error"], told["state"]) == ("access_denied", asked.state)
    world.parts.logins.put(Failed(stored.state.ticket, None, Reason.PERSON_RETIRED))
    answer = browser.get(f"/oauth/authorize?login={login_id}")
    assert answer.headers["Location"] == f"/login/{login_id}"


def test_login_stands_alone(world: World, browser: FlaskClient, asked: Asked) -> None:
    login_id = login_of(world, browser, asked)
    finish(world, browser, login_id)
    for extra in ("&scope=openid", "&redirect_uri=https://evil.example"):
        answer = browser.get(f"/oauth/authorize?login={login_id}{extra}")
        assert answer.status_code == 400
    answer = browser.post("/oauth/authorize", data={"login": login_id})
    assert answer.status_code == 400


def test_an_unfinished_login_goes_back_to_its_page(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    login_id = login_of(world, browser, asked)
    answer = browser.get(f"/oauth/authorize?login={login_id}")
    assert answer.headers["Location"] == f"/login/{login_id}"
    assert browser.get("/oauth/authorize?login=unknown").status_code == 404


def test_a_post_from_another_site_comes_back_by_get_without_losing_cookies(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    answer = browser.post("/oauth/authorize", data=asked.parameters())
    assert answer.status_code == ANSWERED
    assert answer.headers["Location"].startswith("/oauth/authorize?response_type=code&")
    assert "Set-Cookie" not in answer.headers  # a new one would replace the real one
    world.sign_in(browser)
    followed = browser.get(answer.headers["Location"])
    assert sent_back(followed.headers["Location"])["code"]


def test_a_post_with_cookies_is_answered(world: World, browser: FlaskClient, asked: Asked) -> None:
    world.sign_in(browser)
    answer = browser.post("/oauth/authorize", data=asked.parameters())
    assert sent_back(answer.headers["Location"])["code"]


@pytest.fixture
def hints(world: World, mail: Registered) -> dict[str, str]:
    """ID tokens of two people at this party, and one of a third party."""
    other = world.register("other")
    found = {}
    for name, party, person in (("hong", mail, None), ("kim", mail, KIM), ("other", other, None)):
        browser = world.browser()
        world.sign_in(browser, **({"official": person} if person else {}))
        one = Asked(party)
        code = code_of(world, browser, one)
        answer = browser.post("/oauth/token", data=one.form(code), headers=party.basic)
        found[name] = answer.json["id_token"]
    return found


def test_hint_of_the_same_person_even_expired(
    world: World, browser: FlaskClient, mail: Registered, hints: dict[str, str]
) -> None:
    world.clock.forward(86400)
    world.sign_in(browser)
    code_of(world, browser, Asked(mail), prompt="none", id_token_hint=hints["hong"])


def test_hint_of_another_person_never_switches(
    world: World, browser: FlaskClient, mail: Registered, hints: dict[str, str]
) -> None:
    """A-034."""
    world.sign_in(browser)
    silent = error_of(browser, Asked(mail), prompt="none", id_token_hint=hints["kim"])
    assert silent == "login_required"
    login_id = login_of(world, browser, Asked(mail), id_token_hint=hints["kim"])
    finish(world, browser, login_id)  # again the person who was not meant
    told = sent_back(browser.get(f"/oauth/authorize?login={login_id}").headers["Location"])
    assert told["error"] == "login_required"
    login_id = login_of(world, browser, Asked(mail), id_token_hint=hints["kim"])
    finish(world, browser, login_id, official=KIM)
    told = sent_back(browser.get(f"/oauth/authorize?login={login_id}").headers["Location"])
    assert told["code"]


def test_hint_of_another_client_is_refused(
    world: World, browser: FlaskClient, mail: Registered, hints: dict[str, str]
) -> None:
    world.sign_in(browser)
    assert error_of(browser, Asked(mail), id_token_hint=hints["other"]) == "invalid_request"


@pytest.mark.parametrize(
    "changed", [{"iss": "https://other.example"}, {"aud": ["mail"]}, {"sub": 7}, {"exp": "1"}]
)
def test_hint_with_our_signature_and_other_content(
    world: World,
    browser: FlaskClient,
    mail: Registered,
    hints: dict[str, str],
    changed: dict[str, object],
) -> None:
    """Our keys sign for one issuer today; the rule must not rest on that."""
    claims = {**json.loads(decode(hints["hong"].split(".")[1])), **changed}
    hint = world.parts.keys.sign(claims, "JWT", Use.OIDC)
    world.sign_in(browser)
    assert error_of(browser, Asked(mail), id_token_hint=hint) == "invalid_request"
