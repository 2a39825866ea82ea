"""Credentials that are wrong although the issuer itself signed them (A-147, A-148, A-150 to A-152, A-161).

An attacker's chain would be refused before these checks are reached, so here the real issuer's key
signs: the test reads it as an insider of a served provider could.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.contracts import Use
from tests.attacks.expect import each_refused
from tests.attacks.forge import b64, decode, jwk_of, unb64
from tests.attacks.holder import Answer, Held, fetched
from tests.desk import ACR_QR, Desk
from tests.provider import Provider
from tests.servers import Canary, canary
from tests.stack import services_of

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]
Sign = Callable[[dict[str, Any], str], str]
NewDesk = Callable[..., Desk]
DROP = object()


@pytest.fixture(scope="module")
def insider(served: Provider) -> Iterator[Sign]:
    """Signs as the issuer: (claims, typ) -> JWT."""
    assert served.conf_file is not None
    with services_of(served.conf_file) as parts:
        yield lambda claims, typ: parts.keys.sign(claims, typ, Use.ISSUER)


@pytest.fixture(scope="module")
def mine(served: Provider) -> Held:
    return Held.receive(served, served.person(index=4))


@pytest.fixture
def new_desk(served: Provider) -> Iterator[NewDesk]:
    with ExitStack() as stack:
        yield lambda **changed: stack.enter_context(Desk(served)).start(**changed)


@pytest.fixture(scope="module")
def listener() -> Iterator[Canary]:
    with canary() as found:
        yield found


def digest(disclosure: str) -> str:
    return b64(hashlib.sha256(disclosure.encode()).digest())


def disclose(name: str, value: Any) -> str:
    return b64(json.dumps([secrets.token_urlsafe(16), name, value]).encode())


def reissued(
    sign: Sign, *more: str, typ: str = "dc+sd-jwt", sd: Any = None, **changed: Any
) -> Callable[[Answer], None]:
    """The held credential, with some claims changed and disclosures added, signed again."""

    def spoil(answer: Answer) -> None:
        claims = {**decode(answer.held.issuer_jwt)[1], **changed}
        claims["_sd"] = [*claims["_sd"], *map(digest, more)] if sd is None else sd
        kept = {name: value for name, value in claims.items() if value is not DROP}
        answer.issuer_jwt = sign(kept, typ)
        answer.disclosures = [*answer.disclosures, *more]

    return spoil


def test_an_insider_can_make_a_good_one(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    desk = new_desk()
    answer = fetched(mine, desk.wallet_link)
    reissued(insider, disclose("blood_type", "AB"))(answer)
    assert answer.post().status_code == 200


def test_a147_disclosures_that_would_override(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    later = int(time.time()) + 10**6
    overriding = {
        "iss": "https://other.test",
        "exp": later,
        "nbf": 0,
        "iat": later,
        "vct": "urn:other",
        "cnf": {"jwk": {}},
        "status": {},
        "_sd": ["AAAA"],
        "_sd_alg": "sha-256",
        "...": "AAAA",
    }
    spoils = [
        *((name, reissued(insider, disclose(name, value))) for name, value in overriding.items()),
        ("two of one name", reissued(insider, disclose("rank", "a"), disclose("rank", "b"))),
        ("nested _sd", reissued(insider, disclose("x", {"_sd": "AAAA"}))),
        ("nested ... with more", reissued(insider, disclose("x", [{"...": "AAAA", "y": 1}]))),
    ]
    each_refused(new_desk, mine, spoils, "disclosure")


def test_a147_digests(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    own = decode(mine.issuer_jwt)[1]["_sd"]
    spoils = [
        (name, reissued(insider, sd=sd))
        for name, sd in {
            "one digest twice": [*own, own[0]],
            "a text": own[0],
            "numbers": [1, 2],
            "an object": {"a": own[0]},
            "null": DROP,
        }.items()
    ]
    each_refused(new_desk, mine, spoils, "disclosure")


def test_a148_hash_algorithms(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    spoils = [
        (str(name), reissued(insider, _sd_alg=name))
        for name in ("md5", "sha-1", "SHA-256", "sha-512", "", None, ["sha-256"], 256)
    ]
    each_refused(new_desk, mine, spoils, "disclosure")


def test_a150_other_types(new_desk: NewDesk, mine: Held, insider: Sign, listener: Canary) -> None:
    spoils = [
        ("vct missing", reissued(insider, vct=DROP)),
        ("vct of another card", reissued(insider, vct="urn:gongmu:credential:plastic:1")),
        ("vct as an address", reissued(insider, vct=listener.url)),
        ("vct a list", reissued(insider, vct=["urn:gongmu:credential:mobile-id:1"])),
        ("typ of old", reissued(insider, typ="vc+sd-jwt")),
        ("typ JWT", reissued(insider, typ="JWT")),
        ("typ of a status list", reissued(insider, typ="statuslist+jwt")),
    ]
    each_refused(new_desk, mine, spoils, "credential_type", "issuer_signature")
    assert listener.calls == 0


def test_a151_times(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    now = int(time.time())
    expired = [
        ("exp past", reissued(insider, exp=now - 3600)),
        ("exp missing", reissued(insider, exp=DROP)),
        ("exp a text", reissued(insider, exp=str(now + 3600))),
        ("exp true", reissued(insider, exp=True)),
    ]
    each_refused(
        new_desk, mine, expired, "credential_expired", "proof_malformed", "credential_claims"
    )
    early = [
        ("nbf ahead", reissued(insider, nbf=now + 3600)),
        ("iat ahead", reissued(insider, iat=now + 3600)),
    ]
    each_refused(new_desk, mine, early, "credential_not_yet")


def test_a151_a152_status(new_desk: NewDesk, mine: Held, insider: Sign, listener: Canary) -> None:
    own = decode(mine.issuer_jwt)[1]["status"]["status_list"]["uri"]

    def listed(idx: Any, uri: Any = own) -> Callable[[Answer], None]:
        return reissued(insider, status={"status_list": {"idx": idx, "uri": uri}})

    spoils = [
        ("missing", reissued(insider, status=DROP)),
        ("empty", reissued(insider, status={})),
        ("a text", reissued(insider, status="good")),
        ("out of range", listed(2**40)),
        ("negative", listed(-1)),
        ("a text for a number", listed("0")),
        ("true for a number", listed(True)),
        ("another list of ours", listed(0, f"{own.rpartition('/')[0]}/999999")),
        ("a list on this machine", listed(0, listener.url)),
        ("a file", listed(0, "file:///etc/passwd")),
        ("a metadata service", listed(0, "http://169.254.169.254/latest/meta-data/")),
        ("no address", listed(0, 5)),
    ]
    reasons = ("status_missing", "status_list_invalid", "status_unavailable", "status_revoked")
    each_refused(new_desk, mine, spoils, *reasons)
    assert listener.calls == 0


def test_a152_an_index_nobody_was_given(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    own = decode(mine.issuer_jwt)[1]["status"]["status_list"]
    other = (own["idx"] + 1) % 1000
    spoil = reissued(insider, status={"status_list": {**own, "idx": other}})
    reasons = ("status_list_invalid", "status_missing", "status_unavailable", "status_revoked")
    each_refused(new_desk, mine, [("unused index", spoil)], *reasons)


def test_a144_confirmation_keys(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    other = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    own = jwk_of(mine.key.public_key())
    spoils = [
        ("missing", reissued(insider, cnf=DROP)),
        ("empty", reissued(insider, cnf={})),
        ("another key", reissued(insider, cnf={"jwk": other})),
        ("a thumbprint", reissued(insider, cnf={"jkt": "AAAA"})),
        ("a key address", reissued(insider, cnf={"jku": "http://127.0.0.1:9/"})),
        ("a symmetric key", reissued(insider, cnf={"jwk": {"kty": "oct", "k": "AAAA"}})),
        ("off the curve", reissued(insider, cnf={"jwk": {**own, "y": own["x"]}})),
        ("a list", reissued(insider, cnf=[own])),
    ]
    each_refused(new_desk, mine, spoils, "holder_binding")


def test_a161_numbers_that_are_no_numbers(new_desk: NewDesk, mine: Held, insider: Sign) -> None:
    def numbered(value: Any) -> Callable[[Answer], None]:
        spoil = reissued(insider, disclose("personnel_number", value))

        def apply(answer: Answer) -> None:
            own = next(one for one in answer.disclosures if named(one) == "personnel_number")
            answer.disclosures.remove(own)
            spoil(answer)

        return apply

    values = (
        "",
        " ",
        "A" * 10_000,
        f"{mine.number} ",
        f"{mine.number}\u200b",
        chr(ord(mine.number[0]) + 0xFEE0) + mine.number[1:],  # full width
        mine.number.replace("0", "０"),
        "*",
        f"{mine.number})(cn=*",
        f"{mine.number}\0",
        5,
        None,
        [mine.number],
        {"a": mine.number},
    )
    spoils = [(repr(value)[:40], numbered(value)) for value in values]
    each_refused(new_desk, mine, spoils, "credential_claims")


def named(disclosure: str) -> str:
    return str(json.loads(unb64(disclosure))[1])


def test_a161_claims_of_a_wallet_never_become_ours(
    new_desk: NewDesk, mine: Held, insider: Sign
) -> None:
    desk = new_desk(acr_values=ACR_QR)
    answer = fetched(mine, desk.wallet_link)
    wanted = {"acr": "phrh", "amr": ["hwk"], "auth_time": 1, "groups": ["gongmu-admins"]}
    more = [disclose(name, value) for name, value in wanted.items()]
    reissued(insider, *more, sub="somebody-else", aud="other")(answer)
    assert answer.post().status_code == 200
    answered = desk.answered(desk.get(desk.wait_for("ready")["next"]))
    claims = decode(desk.redeem(answered["code"]).json()["id_token"])[1]
    assert claims["acr"] == ACR_QR
    assert claims["auth_time"] > 1
    assert "hwk" not in claims["amr"]
    assert "gongmu-admins" not in claims.get("groups", [])
    assert claims["sub"] != "somebody-else"


def test_a161_issuers_of_one_number_are_two_people(
    new_desk: NewDesk, mine: Held, insider: Sign
) -> None:
    spoil = reissued(insider, iss="https://another.test")
    reasons = ("issuer_untrusted", "issuer_chain")
    each_refused(new_desk, mine, [("iss", spoil)], *reasons)
