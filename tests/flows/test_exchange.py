"""Token exchange over HTTP: what an application gets that calls another for a person (RFC 8693; A-078, A-086)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.conf import Grants
from idp.contracts import State, Use
from idp.events import Reason
from idp.registration import TOKEN_EXCHANGE
from tests.attacks.forge import Maker, es256
from tests.fakes.dpop import DpopKey
from tests.fakes.jws import claims_of, decode, header_of
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import HONG, Asked, FakeAdapter, Registered

pytestmark = pytest.mark.services
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
BOTH = ("authorization_code", "refresh_token", TOKEN_EXCHANGE)
INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    grants = Grants(token_exchange=True)
    with running(
        tmp_path_factory.mktemp("exchange"), redis_url, sql_url, grants=grants
    ) as provider:
        world, parties = provider.world, provider.parties
        callable_ones = ("records", "strict", "guarded", "closed", "unknown")
        parties["portal"] = world.register(
            "portal", grant_types=BOTH, exchange_audiences=callable_ones
        )
        parties["records"] = world.register(
            "records", grant_types=BOTH, exchange_audiences=("archive",)
        )
        parties["archive"] = world.register(
            "archive", grant_types=BOTH, exchange_audiences=("records",)
        )
        parties["strict"] = world.register("strict", minimum_acr="phr")
        closed = FakeAdapter()
        closed.closed = True
        cast("dict[str, FakeAdapter]", world.parts.adapters)["guarded"] = closed
        parties["guarded"] = world.register("guarded", kind="guarded")
        yield provider


def tokens_of(gongmu: Running, name: str, acr: str = "urn:gongmu:acr:2") -> dict[str, Any]:
    """What a code gives to that party, for a person who has just signed in."""
    asked = Asked(gongmu.party(name))
    with gongmu.signed_in(HONG, acr) as browser:
        code = gongmu.code(asked, browser, scope="openid profile email offline_access")
    found: dict[str, Any] = gongmu.redeem(asked, code).json()
    return found


def exchange(
    gongmu: Running,
    caller: str,
    token: str,
    audience: str | None = "records",
    **changed: str | None,
) -> httpx.Response:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "audience": audience,
        **changed,
    }
    given = {name: value for name, value in form.items() if value is not None}
    with gongmu.client() as backend:
        return backend.post("/oauth/token", data=given, headers=gongmu.party(caller).basic)


def introspect(gongmu: Running, party: Registered, token: str) -> dict[str, Any]:
    with gongmu.client() as backend:
        answer = backend.post("/oauth/introspect", data={"token": token}, headers=party.basic)
    found: dict[str, Any] = answer.json()
    return found


def is_refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, code), answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert "access_token" not in answer.json()


def test_a_token_for_another_application(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")
    mark = gongmu.mark()
    answer = exchange(gongmu, "portal", own["access_token"])
    assert answer.status_code == 200, answer.text
    given = answer.json()
    assert set(given) == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (given["issued_token_type"], given["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert given["scope"] == "email openid profile"  # what lets one stay signed in stays behind
    [event] = gongmu.events_after(mark)
    assert event["kind"] == "token:exchange:accepted"
    assert event["data"] == {"audience": "records", "token_of": "portal"}
    with gongmu.client() as anyone:
        keys = KeySet.import_key_set(anyone.get("/oauth/jwks").json())
    token = jwt.decode(given["access_token"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    before, claims = claims_of(own["access_token"]), token.claims
    assert (claims["aud"], claims["client_id"]) == ("records", "portal")
    assert claims["act"] == {"sub": "portal"}
    assert claims["exp"] <= before["exp"]
    assert given["expires_in"] == claims["exp"] - claims["iat"]
    assert claims["acr"] == before["acr"]
    assert claims["jti"] != before["jti"]
    # The person is told to the application by the name it knows already, and by no other.
    assert claims["sub"] == claims_of(tokens_of(gongmu, "records")["id_token"])["sub"]
    assert claims["sub"] != before["sub"]


def test_who_may_ask_about_it(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")["access_token"]
    token = exchange(gongmu, "portal", own).json()["access_token"]
    told = introspect(gongmu, gongmu.party("records"), token)
    assert (told["active"], told["act"], told["aud"]) == (True, {"sub": "portal"}, "records")
    assert "name" not in told  # claims are the client's own
    assert introspect(gongmu, gongmu.party("portal"), token)["active"]
    assert introspect(gongmu, gongmu.party("mail"), token) == INACTIVE
    assert gongmu.userinfo(token).status_code == 401


def test_it_is_never_wider(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")["access_token"]
    narrow = exchange(gongmu, "portal", own, scope="profile").json()
    assert claims_of(narrow["access_token"])["scope"] == narrow["scope"] == "profile"
    for scope in ("openid groups", "offline_access", "gongmu:people", "openid  profile", " "):
        is_refused(exchange(gongmu, "portal", own, scope=scope), "invalid_scope")
    again = exchange(gongmu, "records", narrow["access_token"], "archive").json()
    assert again["scope"] == "profile"
    is_refused(
        exchange(gongmu, "records", narrow["access_token"], "archive", scope="email"),
        "invalid_scope",
    )


def test_only_where_the_caller_is_registered_to_call(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")["access_token"]
    for audience in ("archive", "portal", gongmu.issuer, "unknown", "closed", "x"):
        is_refused(exchange(gongmu, "portal", own, audience), "invalid_target")
    is_refused(exchange(gongmu, "portal", own, resource="https://r.example/"), "invalid_target")
    is_refused(exchange(gongmu, "portal", own, audience=None), "invalid_target")


def test_strength_counts_at_the_other_application_too(gongmu: Running) -> None:
    """A sign-in too weak for an application does not reach it through another."""
    own = tokens_of(gongmu, "portal")["access_token"]
    mark = gongmu.mark()
    is_refused(exchange(gongmu, "portal", own, "strict"), "invalid_target")
    [event] = gongmu.events_after(mark)
    assert event["reason"] == Reason.ACR_UNMET
    strong = tokens_of(gongmu, "portal", "phr")["access_token"]
    assert exchange(gongmu, "portal", strong, "strict").status_code == 200


def test_who_may_not_enter_there_does_not_get_there_by_another_way(gongmu: Running) -> None:
    """I-11: the other application's own rule."""
    own = tokens_of(gongmu, "portal")["access_token"]
    mark = gongmu.mark()
    is_refused(exchange(gongmu, "portal", own, "guarded"), "invalid_request")
    [event] = gongmu.events_after(mark)
    assert event["reason"] == Reason.NOT_ADMITTED


def test_it_lives_no_longer_than_what_it_came_from(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")["access_token"]
    clock = gongmu.world.clock
    try:
        clock.forward(250)
        given = exchange(gongmu, "portal", own).json()
    finally:
        clock.at = None
    assert 40 <= given["expires_in"] <= 50
    assert claims_of(given["access_token"])["exp"] == claims_of(own)["exp"]


def test_a_token_in_wrong_hands(gongmu: Running) -> None:
    """Neither its client nor the one it is for."""
    foreign = tokens_of(gongmu, "mail")["access_token"]
    is_refused(exchange(gongmu, "portal", foreign), "invalid_request")
    own = tokens_of(gongmu, "portal")["access_token"]
    is_refused(exchange(gongmu, "records", own, "archive"), "invalid_request")
    for_records = exchange(gongmu, "portal", own).json()["access_token"]
    is_refused(exchange(gongmu, "archive", for_records), "invalid_request")


def test_a080_nothing_but_access_tokens_that_count(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")
    claims = claims_of(own["access_token"])
    sign = gongmu.world.parts.keys.sign
    for token in (
        own["id_token"],
        own["refresh_token"],
        "x",
        f"{own['access_token']}=",
        sign({**claims, "exp": claims["iat"]}, "at+jwt", Use.OIDC),
        sign({**claims, "gid": "unknown"}, "at+jwt", Use.OIDC),
        sign({**claims, "gid": ""}, "at+jwt", Use.OIDC),
        sign({**claims, "client_id": "portal", "iss": "https://x.example"}, "at+jwt", Use.OIDC),
        sign(claims, "at+jwt", Use.VERIFIER),
    ):
        is_refused(exchange(gongmu, "portal", token), "invalid_request")
    good = own["access_token"]
    for changed in (
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token": good, "actor_token_type": ACCESS_TOKEN},
    ):
        is_refused(exchange(gongmu, "portal", good, **changed), "invalid_request")


def test_a100_to_a107_forged_tokens_are_exchanged_for_nothing(gongmu: Running) -> None:
    genuine = tokens_of(gongmu, "portal")["access_token"]
    header, payload = header_of(genuine), claims_of(genuine)
    with gongmu.client() as anyone:
        keys = anyone.get("/oauth/jwks").json()["keys"]
    [jwk] = [key for key in keys if key["kid"] == header["kid"]]
    x, y = (int.from_bytes(decode(jwk[name]), "big") for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    own = ec.generate_private_key(ec.SECP256R1())
    maker = Maker(header, payload, public, own)
    forged = [
        *maker.signatures(),
        *maker.headers(),
        *maker.payloads(es256(own)),
        *maker.texts(genuine),
    ]
    with gongmu.client() as backend:
        for name, token in forged:
            form = {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": token,
                "subject_token_type": ACCESS_TOKEN,
                "audience": "records",
            }
            basic = gongmu.party("portal").basic
            answer = backend.post("/oauth/token", data=form, headers=basic)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name
    assert exchange(gongmu, "portal", genuine).status_code == 200


def test_a_bound_token_does_not_lose_its_key(gongmu: Running) -> None:
    own = claims_of(tokens_of(gongmu, "portal")["access_token"])
    bound = gongmu.world.parts.keys.sign({**own, "cnf": {"jkt": "k" * 43}}, "at+jwt", Use.OIDC)
    is_refused(exchange(gongmu, "portal", bound), "invalid_request")


def test_the_new_token_is_bound_to_the_callers_key(gongmu: Running) -> None:
    own, key = tokens_of(gongmu, "portal")["access_token"], DpopKey()
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": own,
        "subject_token_type": ACCESS_TOKEN,
        "audience": "records",
    }
    with gongmu.client() as backend:
        headers = gongmu.party("portal").basic
        answer = key.call(backend, "POST", "/oauth/token", data=form, headers=headers)
    assert answer.json()["token_type"] == "DPoP"
    token = answer.json()["access_token"]
    assert claims_of(token)["cnf"] == {"jkt": key.thumbprint}
    told = introspect(gongmu, gongmu.party("records"), token)
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": key.thumbprint})


def test_everyone_between_is_named_and_few_may_be(gongmu: Running) -> None:
    token = tokens_of(gongmu, "portal")["access_token"]
    token = exchange(gongmu, "portal", token).json()["access_token"]
    token = exchange(gongmu, "records", token, "archive").json()["access_token"]
    assert claims_of(token)["act"] == {"sub": "records", "act": {"sub": "portal"}}
    token = exchange(gongmu, "archive", token).json()["access_token"]
    token = exchange(gongmu, "records", token, "archive").json()["access_token"]
    is_refused(exchange(gongmu, "archive", token), "invalid_request")


@contextmanager
def exchanged(gongmu: Running) -> Iterator[tuple[dict[str, Any], str]]:
    """The portal's own tokens, and a token for the records that lives until something ends it."""
    own = tokens_of(gongmu, "portal")
    token = exchange(gongmu, "portal", own["access_token"]).json()["access_token"]
    records = gongmu.party("records")
    assert introspect(gongmu, records, token)["active"]
    yield own, token
    assert introspect(gongmu, records, token) == INACTIVE
    is_refused(exchange(gongmu, "portal", own["access_token"]), "invalid_request")


def test_a086_a_revoked_parent_takes_its_children_along(gongmu: Running) -> None:
    with exchanged(gongmu) as (own, _token), gongmu.client() as backend:
        form, headers = {"token": own["refresh_token"]}, gongmu.party("portal").basic
        assert backend.post("/oauth/revoke", data=form, headers=headers).status_code == 200


def test_a086_so_does_a_session_that_ends(gongmu: Running) -> None:
    with exchanged(gongmu) as (own, _token):
        sid = claims_of(own["id_token"])["sid"]
        assert gongmu.world.parts.sessions.end(sid, Reason.BY_PERSON)


def test_a_person_who_may_not_act_any_more(gongmu: Running) -> None:
    directory = gongmu.world.directory
    with exchanged(gongmu):
        directory.change("E100", state=State.RETIRED)
    directory.change("E100", state=State.ACTIVE)


def test_a_disabled_application_between(gongmu: Running) -> None:
    own = tokens_of(gongmu, "portal")["access_token"]
    first = exchange(gongmu, "portal", own).json()["access_token"]
    second = exchange(gongmu, "records", first, "archive").json()["access_token"]
    parties = gongmu.world.parts.relying_parties
    archive = gongmu.party("archive")
    for name in ("portal", "records"):  # whose grant it rests on; whose token it is
        assert introspect(gongmu, archive, second)["active"]
        parties.set_disabled(name, True, "test")
        try:
            assert introspect(gongmu, archive, second) == INACTIVE
        finally:
            parties.set_disabled(name, False, "test")


def test_a_token_of_another_client_needs_an_actor(gongmu: Running) -> None:
    """Who could change the client of a token could use another's grant."""
    own = claims_of(tokens_of(gongmu, "portal")["access_token"])
    forged = gongmu.world.parts.keys.sign({**own, "client_id": "mail"}, "at+jwt", Use.OIDC)
    assert gongmu.userinfo(forged).status_code == 401


def test_its_client_cannot_revoke_it_and_is_told_so(gongmu: Running) -> None:
    """RFC 7009 §2.2.1; the person's grant at the portal is not the caller's to end."""
    own = tokens_of(gongmu, "portal")["access_token"]
    first = exchange(gongmu, "portal", own).json()["access_token"]
    second = exchange(gongmu, "records", first, "archive").json()["access_token"]
    with gongmu.client() as backend:
        form = {"token": second}
        answer = backend.post("/oauth/revoke", data=form, headers=gongmu.party("records").basic)
        is_refused(answer, "unsupported_token_type")
        assert backend.post(
            "/oauth/revoke", data=form, headers=gongmu.party("mail").basic
        ).is_success
    assert introspect(gongmu, gongmu.party("portal"), own)["active"]


def test_only_registered_callers(gongmu: Running) -> None:
    own = tokens_of(gongmu, "mail")["access_token"]
    is_refused(exchange(gongmu, "mail", own), "unauthorized_client")
    with gongmu.client() as anyone:
        supported = anyone.get("/.well-known/openid-configuration").json()["grant_types_supported"]
    assert TOKEN_EXCHANGE in supported
