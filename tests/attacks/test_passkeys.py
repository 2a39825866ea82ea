"""Passkeys over HTTP, with an authenticator that really signs: A-190 to A-204 and what they must not open."""

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from fido2 import cbor

from tests.attacks.forge import b64, decode
from tests.attacks.forge import unb64 as b64_bytes
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, Phone
from tests.fakes.security_key import (
    AT,
    BE,
    BS,
    EDDSA,
    ES256,
    RS1,
    UP,
    UV,
    SecurityKey,
    form,
)
from tests.passkeys import PASSKEYS, Seat, options, reason_on
from tests.provider import Provider
from tests.races.burst import burst, counted, form_post

pytestmark = pytest.mark.services
ENDED, REFUSED = "session:end:done", "login:proof:rejected"
Seats = Callable[[], Seat]


@pytest.fixture(scope="module")
def owner(demo: Provider) -> Held:
    """Whose mobile ID opens the account; of this module alone."""
    return Held.receive(demo, demo.person(index=6))


@pytest.fixture
def seats(demo: Provider) -> Iterator[Seats]:
    """Makes browsers of their own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Seat(demo))


@pytest.fixture(scope="module", autouse=True)
def as_it_was(demo: Provider) -> Iterator[None]:
    """Nobody is left with a passkey, or with news of one at the next sign-in."""
    yield
    touched = set()
    for one in demo.api("GET", "passkeys", "gongmu:people", params={"limit": "500"}).json()[
        "passkeys"
    ]:
        touched.add(one["personnel_number"])
        demo.api("POST", f"passkeys/{one['id']}/remove", "gongmu:people")
    for number in touched:
        with Seat(demo) as last:
            last.to_account(Held.receive(demo, number))


@pytest.fixture(scope="module")
def enrolled(demo: Provider, owner: Held) -> Iterator[Seat]:
    """Somebody with a passkey, whose account is open; for what changes nothing of it."""
    with Seat(demo) as seat:
        seat.to_account(owner)
        seat.enrol()
        yield seat


@pytest.fixture
def seat(seats: Seats, enrolled: Seat) -> Seat:
    """A browser at the page with the challenge, whose person holds that passkey."""
    made = seats()
    made.key = enrolled.key
    return made.begin()


def own(seats: Seats, owner: Held, **key: Any) -> Seat:
    """A browser with a passkey that a test may lose."""
    made = seats()
    made.key = SecurityKey(made.provider.issuer, **key)
    made.to_account(owner)
    assert made.enrol().endswith(PASSKEYS), made.page
    return made


def refused(seat: Seat, code: str, reason: str, **spoilt: Any) -> None:
    """Such an answer signs nobody in, and the page says why."""
    mark = seat.provider.last_event()
    seat.touch(**spoilt)
    assert_refused(seat, mark, code, reason)


def assert_refused(seat: Seat, mark: str, code: str, reason: str) -> None:
    assert (seat.answer.status_code, reason_on(seat.page)) == (400, code), seat.page
    [event] = seat.provider.events_after(mark)
    assert (event["kind"], event["reason"], event["method"]) == (REFUSED, reason, "fido2")
    assert "gongmu-session" not in seat.client.cookies


def test_a_touch_signs_in_without_a_name(demo: Provider, seat: Seat) -> None:
    answered = seat.answered(seat.touch())
    tokens = seat.redeem(answered["code"]).json()
    claims = decode(tokens["id_token"])[1]
    assert claims["acr"] == "phr"
    assert {"pop", "user", "mfa"} <= set(claims["amr"])


# --- A-190 to A-194: what the browser and the authenticator say -----------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "https://sub.localhost",
        "http://localhost",
        "http://localhost:1",
        "https://localhost:{port}",
        "http://localhost@evil.example:{port}",
        "http://notlocalhost:{port}",
        "http://localhost.evil.example:{port}",
        "http://LOCALHOST:{port}",
        "http://localhost:{port}/",
        "null",
        "",
        "android:apk-key-hash:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        "ios:bundle-id:kr.go.example",
    ],
)
def test_a190_origins(demo: Provider, seat: Seat, origin: str) -> None:
    port = demo.issuer.rpartition(":")[2]
    refused(seat, "G-723", "passkey_origin", client_data={"origin": origin.format(port=port)})


@pytest.mark.parametrize("member", [{"crossOrigin": True}, {"topOrigin": "https://evil.example"}])
def test_a193_in_a_frame(seat: Seat, member: dict[str, Any]) -> None:
    refused(seat, "G-723", "passkey_origin", client_data=member)


def test_a191_another_domain(seat: Seat) -> None:
    refused(seat, "G-723", "passkey_origin", rp_id="evil.example")


def test_a191_a_registration_is_no_sign_in(seat: Seat) -> None:
    refused(seat, "G-722", "passkey_challenge", client_data={"type": "webauthn.create"})


def test_a191_an_answer_is_good_once(seat: Seat) -> None:
    fields = {"csrf": seat.csrf, **form(seat.key.get(options(seat.page)))}
    address = f"{seat.login}/answer"
    assert seat.client.post(address, data=fields).status_code == 303
    mark = seat.provider.last_event()
    again = seat.client.post(address, data=fields)
    assert again.headers["location"] == seat.login
    assert seat.provider.events_after(mark) == []


def _started(demo: Provider, mark: str) -> list[str]:
    kinds = [event["kind"] for event in demo.events_after(mark)]
    return [kind for kind in kinds if kind == "session:start:accepted"]


def test_a191_the_challenge_of_another_login(seats: Seats, seat: Seat) -> None:
    other = seats().begin()
    challenge = options(other.page)["challenge"]
    refused(seat, "G-722", "passkey_challenge", client_data={"challenge": challenge})


def test_a191_a_challenge_that_was_refused_once_is_gone(seat: Seat) -> None:
    first = options(seat.page)
    refused(seat, "G-724", "passkey_unverified", flags=UP)
    assert options(seat.page)["challenge"] != first["challenge"]
    mark = seat.provider.last_event()
    seat.send(seat.key.get(first))
    assert_refused(seat, mark, "G-722", "passkey_challenge")


def test_a191_the_challenge_of_a_registration(enrolled: Seat, seat: Seat) -> None:
    enrolled.get(f"{PASSKEYS}/new")
    challenge = options(enrolled.page)["challenge"]
    refused(seat, "G-722", "passkey_challenge", client_data={"challenge": challenge})


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\x00"])
def test_a191_client_data_that_parsers_read_differently(seat: Seat, prefix: bytes) -> None:
    text = json.dumps(_client_data(seat)).encode()
    refused(seat, "G-721", "passkey_malformed", client_data=prefix + text)


def test_a191_a_member_twice(seat: Seat) -> None:
    text = json.dumps(_client_data(seat))
    twice = text[:-1] + ', "origin": "https://evil.example"}'
    refused(seat, "G-721", "passkey_malformed", client_data=twice.encode())


def _client_data(seat: Seat) -> dict[str, Any]:
    challenge = options(seat.page)["challenge"]
    return {"type": "webauthn.get", "challenge": challenge, "origin": seat.provider.issuer}


@pytest.mark.parametrize("flags", [UP, UV, 0])
def test_a192_nobody_was_verified(seat: Seat, flags: int) -> None:
    refused(seat, "G-724", "passkey_unverified", flags=flags)


def test_a192_the_page_asks_for_verification_and_a_form_cannot_lower_it(seat: Seat) -> None:
    assert options(seat.page)["userVerification"] == "required"
    answer = form(seat.key.get(options(seat.page), flags=UP))
    mark = seat.provider.last_event()
    seat.post(f"{seat.login}/answer", **answer, userVerification="discouraged")
    assert_refused(seat, mark, "G-724", "passkey_unverified")


@pytest.mark.parametrize("flags", [UP | UV | BS, UP | UV | BE, UP | UV | BE | BS])
def test_a194_backup_flags_that_cannot_be(seat: Seat, flags: int) -> None:
    """Registered as one that is never backed up."""
    refused(seat, "G-725", "passkey_backup", flags=flags)


# --- A-195: copies --------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", [0, 1, 2])
def test_a195_a_counter_that_does_not_rise(
    demo: Provider, seats: Seats, owner: Held, counter: int
) -> None:
    mine = own(seats, owner)
    mine.answered(mine.begin(prompt="login").touch())  # its counter is 2 now
    thief = seats()
    thief.key = mine.key
    mark = demo.last_event()
    thief.begin().touch(counter=counter)
    assert (thief.answer.status_code, reason_on(thief.page)) == (400, "G-728")
    kinds = {event["kind"]: event for event in demo.events_after(mark)}
    assert {"passkey:state:changed", ENDED, REFUSED} <= set(kinds)
    changed = kinds["passkey:state:changed"]
    assert (changed["data"]["to"], changed["reason"]) == ("suspended", "passkey_counter")
    thief.begin()
    refused(thief, "G-703", "passkey_suspended")  # the good counter does not help either
    told = seats()  # R-061: the owner hears of it at the next sign-in
    told.start()
    told.answered(told.get(fetched(owner, told.wallet_link).post().json()["redirect_uri"]))
    assert told.news.count("<li>") >= 1
    again = seats()
    again.start()
    again.get(fetched(owner, again.wallet_link).post().json()["redirect_uri"])
    assert again.news == ""  # and once is enough
    [passkey_id] = [one for one in told.ids() if one == changed["passkey"]]
    assert 'class="tag alert"' in told.page
    told.get(f"{PASSKEYS}/{passkey_id}/remove")
    told.post(f"{PASSKEYS}/{passkey_id}/remove")
    assert passkey_id not in told.ids()


# --- A-196 to A-198: whose it is ------------------------------------------------------------------


Touch = Callable[[SecurityKey, dict[str, Any]], dict[str, Any]]


def unknown_key(key: SecurityKey, asked: dict[str, Any]) -> dict[str, Any]:
    made = SecurityKey(key.origin)
    return made.get(asked, made.new_credential(ES256, b"nobody" * 5, "localhost"))


def unknown_key_of_a_known_person(key: SecurityKey, asked: dict[str, Any]) -> dict[str, Any]:
    made = SecurityKey(key.origin)
    handle = key.credentials[-1].user_handle
    return made.get(asked, made.new_credential(ES256, handle, "localhost"))


def known_key_of_an_unknown_person(key: SecurityKey, asked: dict[str, Any]) -> dict[str, Any]:
    return key.get(asked, response={"userHandle": b64(b"nobody" * 5)})


def known_key_of_no_person(key: SecurityKey, asked: dict[str, Any]) -> dict[str, Any]:
    return key.get(asked, response={"userHandle": ""})


def test_a196_unknown_keys_and_unknown_people_are_one_answer(
    demo: Provider, seats: Seats, enrolled: Seat
) -> None:
    told = []
    for touch in (
        unknown_key,
        unknown_key_of_a_known_person,
        known_key_of_an_unknown_person,
        known_key_of_no_person,
    ):
        seat = seats().begin()
        mark = demo.last_event()
        seat.send(touch(enrolled.key, options(seat.page)))
        assert_refused(seat, mark, "G-726", "passkey_unknown")
        page = seat.page.replace(seat.login, "").replace(seat.csrf, "")
        told.append(page.replace(options(page)["challenge"], ""))
    assert len({_without_time(page) for page in told}) == 1


def _without_time(page: str) -> str:
    return re.sub(r'data-expires-in-s="\d+"|"timeout": \d+|&#34;timeout&#34;: \d+', "", page)


def test_a196_an_id_that_is_not_its_raw_id(seat: Seat) -> None:
    refused(seat, "G-721", "passkey_malformed", members={"id": b64(b"x" * 32)})


def test_a197_signatures_and_what_is_signed(seats: Seats, enrolled: Seat) -> None:
    for spoilt, code, reason in (
        ({"signature": b"\x00" * 70}, "G-727", "passkey_signature"),
        ({"signature": b"x"}, "G-727", "passkey_signature"),
        ({"extensions": cbor.encode({"appid": True}) + b"x"}, "G-721", "passkey_malformed"),
        ({"data": b"x" * 36}, "G-721", "passkey_malformed"),
        ({"members": {"type": "password"}}, "G-721", "passkey_malformed"),
        ({"response": {"signature": "a*b"}}, "G-721", "passkey_malformed"),
    ):
        seat = seats()
        seat.key = enrolled.key
        refused(seat.begin(), code, reason, **spoilt)


def test_a197_a_key_that_comes_with_the_answer_is_not_the_one(seat: Seat) -> None:
    """Another key's signature, and that key offered along."""
    liar = SecurityKey(seat.provider.issuer, algorithms=(EDDSA,))
    mine = seat.key.credentials[-1]
    own = liar.new_credential(EDDSA, mine.user_handle, "localhost")
    own.id = mine.id
    mark = seat.provider.last_event()
    offered = {"publicKey": b64(cbor.encode(own.cose())), "publicKeyAlgorithm": EDDSA}
    answer = liar.get(options(seat.page), own, response=offered, counter=1000)
    seat.send(answer)
    assert_refused(seat, mark, "G-727", "passkey_signature")


@pytest.mark.parametrize(
    "field", ["", "[]", "{}", "null", '{"id": 1}', "x" * 20_000, "[" * 9000, "\x00", "\ud7ff"]
)
def test_answers_of_no_form(seat: Seat, field: str) -> None:
    mark = seat.provider.last_event()
    seat.post(f"{seat.login}/answer", credential=field)
    assert seat.answer.status_code == 400
    [event] = seat.provider.events_after(mark)
    assert event["kind"] == REFUSED


@pytest.mark.parametrize(
    "extensions",
    [
        b"\xbf\xff",
        b"\xa2\x61a\x01\x61a\x02",
        b"\x9f" * 4000,
        b"\xa1\x61a" * 2000 + b"\xa0",
        b"\xa1\x61a\xd9\x01\x00\x81\xd8\x1d\x00",
    ],
    ids=["indefinite", "a key twice", "deep arrays", "deep maps", "shared references"],
)
def test_a106_cbor_that_only_some_parsers_take(seat: Seat, extensions: bytes) -> None:
    mark = seat.provider.last_event()
    seat.touch(extensions=extensions)
    assert_refused(seat, mark, "G-721", "passkey_malformed")


def test_the_third_refusal_ends_the_login(seat: Seat) -> None:
    for _ in range(2):
        refused(seat, "G-724", "passkey_unverified", flags=UP)
    seat.touch(flags=UP)
    assert (seat.answer.status_code, reason_on(seat.page)) == (403, "G-701")
    assert "data-options" not in seat.page


def test_a198_the_page_is_the_same_for_whoever_is_meant(
    demo: Provider, seats: Seats, owner: Held
) -> None:
    told = []
    for hint in ("", owner.number, demo.person(index=1), "nobody@example.go.kr"):
        seat = seats().begin(login_hint=hint)
        asked = options(seat.page)
        assert set(asked) == {"challenge", "rpId", "userVerification", "timeout"}
        told.append({**asked, "challenge": "", "timeout": 0})
    assert all(one == told[0] for one in told)


def test_a122_an_answer_in_another_browser(seats: Seats, seat: Seat) -> None:
    thief = seats()
    thief.begin()
    mark = seat.provider.last_event()
    thief.login, mine = seat.login, thief.login
    thief.send(seat.key.get(options(seat.page)))
    assert thief.answer.status_code == 403  # the form is not from that browser
    thief.login = mine
    assert not _started(seat.provider, mark)


# --- A-199: registrations -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"client_data": {"type": "webauthn.get"}}, "G-722"),
        ({"client_data": {"origin": "https://evil.example"}}, "G-723"),
        ({"client_data": {"challenge": b64(b"x" * 32)}}, "G-722"),
        ({"client_data": {"crossOrigin": True}}, "G-723"),
        ({"flags": UP}, "G-724"),
        ({"flags": UP | UV | BS}, "G-725"),
        ({"rp_id": "evil.example"}, "G-723"),
        ({"attestation_object": b"\xa0"}, "G-721"),
    ],
)
def test_a199_registrations_that_do_not_verify(
    demo: Provider, seats: Seats, enrolled: Seat, spoilt: dict[str, Any], code: str
) -> None:
    before = enrolled.ids()
    enrolled.get(f"{PASSKEYS}/new")
    mark = demo.last_event()
    made = SecurityKey(demo.issuer).create(options(enrolled.page), **_with_at(spoilt))
    post_registration(enrolled, made)
    assert (enrolled.answer.status_code, reason_on(enrolled.page)) == (400, code)
    [event] = demo.events_after(mark)
    assert event["kind"] == "passkey:enrol:refused"
    assert enrolled.ids() == before


def _with_at(spoilt: dict[str, Any]) -> dict[str, Any]:
    return {**spoilt, "flags": spoilt["flags"] | AT} if "flags" in spoilt else spoilt


def post_registration(seat: Seat, made: dict[str, Any], **fields: str) -> str:
    attempt = seat.find(r'name="attempt" value="([^"]+)"')
    return seat.post(PASSKEYS, **{"attempt": attempt, "name": "잃을 열쇠", **form(made), **fields})


def test_a199_an_algorithm_that_was_not_offered(demo: Provider, enrolled: Seat) -> None:
    enrolled.get(f"{PASSKEYS}/new")
    asked = options(enrolled.page)
    key = SecurityKey(demo.issuer)
    weak = key.new_credential(RS1, b64_bytes(asked["user"]["id"]), "localhost")
    post_registration(enrolled, key.create(asked, credential=weak))
    assert (enrolled.answer.status_code, reason_on(enrolled.page)) == (400, "G-729")


@pytest.mark.parametrize("length", [0, 15, 1024])
def test_a199_ids_of_no_fitting_length(demo: Provider, enrolled: Seat, length: int) -> None:
    enrolled.get(f"{PASSKEYS}/new")
    asked = options(enrolled.page)
    key = SecurityKey(demo.issuer)
    odd = key.new_credential(ES256, b64_bytes(asked["user"]["id"]), "localhost")
    odd.id = b"x" * length
    post_registration(enrolled, key.create(asked, credential=odd))
    assert (enrolled.answer.status_code, reason_on(enrolled.page)) == (400, "G-721")


def test_a199_a_credential_that_is_registered(demo: Provider, enrolled: Seat) -> None:
    enrolled.get(f"{PASSKEYS}/new")
    asked = options(enrolled.page)
    known = enrolled.key.credentials[0]
    assert b64(known.id) in [one["id"] for one in asked["excludeCredentials"]]
    again = SecurityKey(demo.issuer).create(asked, credential=replace(known))
    post_registration(enrolled, again)
    assert (enrolled.answer.status_code, reason_on(enrolled.page)) == (403, "G-706")


def test_a191_options_are_answered_once_and_by_their_own_session(
    demo: Provider, seats: Seats, owner: Held, enrolled: Seat
) -> None:
    other = seats()
    other.to_account(owner)
    made = SecurityKey(demo.issuer).create(options(other.page))
    attempt = other.find(r'name="attempt" value="([^"]+)"')
    enrolled.get(f"{PASSKEYS}/new")
    post_registration(enrolled, made, attempt=attempt)  # the same person's other session
    assert (enrolled.answer.status_code, reason_on(enrolled.page)) == (400, "G-702")
    post_registration(other, made, attempt=attempt)  # and used up by that
    assert reason_on(other.page) == "G-702"


# --- A-200, A-201: who may change what ------------------------------------------------------------


def test_a200_a_qr_alone_adds_no_key(demo: Provider, seats: Seats, owner: Held) -> None:
    """A relayed QR must not become a key that is worth more."""
    seat = seats()
    seat.start(acr_values=ACR_QR)
    with Phone(demo) as phone:
        phone.get(fetched(owner, seat.wallet_link).post().json()["redirect_uri"])
        seat.answered(seat.get(seat.login))
    seat.get(f"{PASSKEYS}/new")
    assert (seat.answer.status_code, reason_on(seat.page)) == (403, "")
    assert "data-options" not in seat.page
    assert 'action="/account/sign-in"' in seat.page  # the step-up
    seat.post(PASSKEYS, csrf=_csrf_for_passkeys(seat), attempt="x" * 22, name="", credential="{}")
    assert seat.answer.status_code == 403


def _csrf_for_passkeys(seat: Seat) -> str:
    return seat.csrf


def test_a200_forms_of_others(demo: Provider, enrolled: Seat) -> None:
    before = enrolled.ids()
    enrolled.get(f"{PASSKEYS}/new")
    made = SecurityKey(demo.issuer).create(options(enrolled.page))
    for fields, headers in (
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": enrolled.csrf}, {"Origin": "https://evil.example"}),
        ({"csrf": enrolled.csrf}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        attempt = enrolled.find(r'name="attempt" value="([^"]+)"')
        data = {**fields, "attempt": attempt, "name": "x", **form(made)}
        answer = enrolled.client.post(PASSKEYS, data=data, headers=headers)
        assert (answer.status_code, reason_on(answer.text)) == (403, "G-108")
        for change in ("rename", "remove"):
            address = f"{PASSKEYS}/{before[0]}/{change}"
            answer = enrolled.client.post(address, data={**fields, "name": "x"}, headers=headers)
            assert answer.status_code == 403
    assert enrolled.ids() == before


def test_a200_another_persons_key_is_out_of_reach(
    demo: Provider, seats: Seats, enrolled: Seat
) -> None:
    [victim, *_] = enrolled.ids()
    thief = seats()
    thief.to_account(Held.receive(demo, demo.person(index=7)))
    for change, fields in (("rename", {"name": "stolen"}), ("remove", {})):
        thief.get(f"{PASSKEYS}/new")
        thief.post(f"{PASSKEYS}/{victim}/{change}", **fields)
    assert thief.get(f"{PASSKEYS}/{victim}/remove").endswith(PASSKEYS)
    assert victim in enrolled.ids()
    assert "stolen" not in enrolled.page


def test_a201_the_last_one_is_removed_with_a_warning_and_the_owner_is_told(
    demo: Provider, seats: Seats
) -> None:
    held = keyless(demo, index=9)
    seat = own(seats, held)
    seat.get(f"{PASSKEYS}/new")
    seat.enrol("둘째")
    first, second = seat.ids()
    seat.get(f"{PASSKEYS}/{first}/remove")
    assert "notice strong" not in seat.page
    seat.post(f"{PASSKEYS}/{first}/remove")
    seat.get(f"{PASSKEYS}/{second}/remove")
    assert "notice strong" in seat.page
    mark = demo.last_event()
    seat.post(f"{PASSKEYS}/{second}/remove")
    assert seat.ids() == []
    [event] = [one for one in demo.events_after(mark) if one["kind"] == "passkey:state:changed"]
    assert (event["data"]["to"], event["reason"]) == ("removed", "by_person")
    later = seats().start()
    later.answered(later.get(fetched(held, later.wallet_link).post().json()["redirect_uri"]))
    assert later.news.count("<li>") == 2


def test_r062_removing_a_key_ends_what_it_opened(demo: Provider, seats: Seats, owner: Held) -> None:
    mine = own(seats, owner)
    [*_, passkey_id] = mine.ids()
    opened = seats()
    opened.key = mine.key
    tokens = opened.redeem(opened.answered(opened.begin().touch())["code"]).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert opened.client.get("/oauth/userinfo", headers=bearer).status_code == 200
    mine.get(f"{PASSKEYS}/{passkey_id}/remove")
    mine.post(f"{PASSKEYS}/{passkey_id}/remove")
    assert opened.client.get("/account").status_code == 401
    assert opened.client.get("/oauth/userinfo", headers=bearer).status_code == 401
    gone = seats()
    gone.key = mine.key
    refused(gone.begin(), "G-726", "passkey_unknown")  # as if it had never been (A-196)


def test_a_phones_key_stops_with_its_mobile_id(demo: Provider, seats: Seats) -> None:
    held = keyless(demo, index=9)
    mine = own(seats, held, attachment="platform", transports=("internal",))
    [passkey_id] = mine.ids()
    [shown] = [one for one in _of(demo, held.number) if one["id"] == passkey_id]
    opened = seats()
    opened.key = mine.key
    opened.answered(opened.begin().touch())
    answer = demo.api("POST", f"mobile-ids/{shown['mobile_id']}/suspend", "gongmu:issue")
    assert answer.status_code == 200, answer.text
    assert opened.client.get("/account").status_code == 401
    stopped = seats()
    stopped.key = mine.key
    refused(stopped.begin(), "G-703", "passkey_suspended")
    answer = demo.api("POST", f"passkeys/{passkey_id}/reinstate", "gongmu:people")
    assert (answer.status_code, answer.json()["code"]) == (409, "phone_cut_off")
    demo.api("POST", f"mobile-ids/{shown['mobile_id']}/reinstate", "gongmu:issue")
    found = seats()
    found.key = mine.key
    found.answered(found.begin().touch())


def test_a_key_that_a_desk_made_is_tied_to_no_phone(demo: Provider, seats: Seats) -> None:
    """The mobile ID was on another device: what this one makes has nothing to do with it."""
    held = keyless(demo, index=9)
    seat = seats()
    seat.key = SecurityKey(demo.issuer, attachment="platform")
    with Phone(demo) as phone:
        seat.to_account(held, phone=phone)
    seat.enrol()
    assert _of(demo, held.number)[0]["mobile_id"] == ""


def keyless(demo: Provider, index: int) -> Held:
    """A person with a new mobile ID and no passkey: other tests may have left some."""
    held = Held.receive(demo, demo.person(index=index))
    for one in _of(demo, held.number):
        if one["state"] != "removed":
            demo.api("POST", f"passkeys/{one['id']}/remove", "gongmu:people")
    return held


def _of(demo: Provider, number: str) -> list[dict[str, Any]]:
    answer = demo.api("GET", "passkeys", "gongmu:people", params={"personnel_number": number})
    found: list[dict[str, Any]] = answer.json()["passkeys"]
    return found


# --- A-202, A-203: races --------------------------------------------------------------------------


def test_a202_many_at_once_stay_within_the_limit(demo: Provider, seats: Seats) -> None:
    held = Held.receive(demo, demo.person(index=10))
    seat = seats()
    seat.to_account(held)
    requests = []
    for _ in range(30):
        seat.get(f"{PASSKEYS}/new")
        made = SecurityKey(demo.issuer).create(options(seat.page))
        attempt = seat.find(r'name="attempt" value="([^"]+)"')
        fields = {"csrf": seat.csrf, "attempt": attempt, "name": "x", **form(made)}
        requests.append(form_post(f"{demo.issuer}{PASSKEYS}", fields, Cookie=_cookies(seat)))
    replies = burst(demo.issuer, requests)
    assert counted(replies) == {303: 10, 403: 20}
    assert len(seat.ids()) == 10
    assert "notice" in seat.page
    assert f'href="{PASSKEYS}/new"' not in seat.page


def _cookies(seat: Seat) -> str:
    return "; ".join(f"{name}={value}" for name, value in seat.client.cookies.items())


def test_a203_one_answer_twenty_times_is_one_sign_in(
    served: Provider,
) -> None:
    """On two workers; and a form that is sent twice is no copy of the key."""
    held = Held.receive(served, served.person(index=7))
    with Seat(served) as seat:
        seat.to_account(held)
        seat.enrol()
        seat.begin(prompt="login")
        fields = {"csrf": seat.csrf, **form(seat.key.get(options(seat.page)))}
        address = f"{served.issuer}{seat.login}/answer"
        mark = served.last_event()
        replies = burst(served.issuer, [form_post(address, fields, Cookie=_cookies(seat))] * 20)
        assert set(counted(replies)) == {303}
        kinds = Counter(event["kind"] for event in served.events_after(mark))
        assert kinds["login:proof:accepted"] == kinds["session:start:accepted"] == 1
        assert kinds[REFUSED] == kinds["passkey:state:changed"] == 0
        with Seat(served) as again:
            again.key = seat.key
            again.answered(again.begin().touch())


# --- A-204: names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'\"><img src=x onerror=alert(1)>", "'\"><img src=x onerror=alert(1)>"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("a\u202eb\u0000c\nd", "abcd"),
        ("x" * 1000, "x" * 40),
    ],
)
def test_a204_names_are_text(enrolled: Seat, name: str, kept: str) -> None:
    [passkey_id, *_] = enrolled.ids()
    enrolled.post(f"{PASSKEYS}/{passkey_id}/rename", name=name)
    for address in (PASSKEYS, f"{PASSKEYS}/{passkey_id}/remove", "/account"):
        enrolled.get(address)
        assert html.escape(kept, quote=False)[:10] in enrolled.page.replace("&#39;", "'").replace(
            "&#34;", '"'
        )
        assert "<script>alert" not in enrolled.page
        assert "<img src=x" not in enrolled.page


@pytest.mark.parametrize("name", ["", "   ", "\u202e\u200b"])
def test_a_name_of_nothing_changes_nothing(enrolled: Seat, name: str) -> None:
    [passkey_id, *_] = enrolled.ids()
    enrolled.post(f"{PASSKEYS}/{passkey_id}/rename", name="열쇠")
    enrolled.get(PASSKEYS)
    enrolled.post(f"{PASSKEYS}/{passkey_id}/rename", name=name)
    enrolled.get(PASSKEYS)
    assert "열쇠" in enrolled.page


# --- the way around -------------------------------------------------------------------------------


def test_a_mobile_id_gets_who_lost_the_key_in(demo: Provider, seats: Seats, owner: Held) -> None:
    seat = seats().begin(acr_values="phr")
    seat.post(f"{seat.login}/mobile_id")
    redirect_uri = fetched(owner, seat.wallet_link).post().json()["redirect_uri"]
    assert "code" in seat.answered(seat.get(redirect_uri))


def test_a032_what_no_hardware_vouches_for_is_not_phrh(seats: Seats, enrolled: Seat) -> None:
    """Only the passkey is offered, and it says at the end that it was not strong enough."""
    seat = seats()
    seat.key = enrolled.key
    seat.begin(acr_values="phrh")
    assert f"{seat.login}/mobile_id" not in seat.page
    seat.touch()
    assert (seat.answer.status_code, reason_on(seat.page)) == (403, "G-213")


def test_nobody_is_told_of_related_origins_that_are_not_there(demo: Provider) -> None:
    with demo.client() as client:
        assert client.get("/.well-known/webauthn").status_code == 404
