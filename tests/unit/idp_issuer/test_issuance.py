"""The whole way from an offer to a credential, and what the credential is."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from idp.contracts import MOBILE_ID_CLAIMS, MOBILE_ID_VCT, MobileIdState
from tests.unit.idp_issuer.world import HONG, ISSUER, PHOTO, Wallet, World, head, payload, unb64


def verified(world: World, credential: str) -> dict:
    """What an independent verifier reads from all disclosures."""
    key = JWK.from_json(json.dumps(world.signing_key.as_dict(private=False)))
    return dict(SDJWTVerifier(credential, lambda _iss, _header: key).get_verified_payload())


def test_the_whole_way(world: World, wallet: Wallet) -> None:
    credential = wallet.receive(world.offers.make_offer("E100", "staff-1"))
    claims = verified(world, credential)
    mobile_id = world.cutoff.all()[0]
    assert mobile_id.state is MobileIdState.LIVE
    assert mobile_id.key_thumbprint == wallet.key.thumbprint()
    assert claims == {
        "iss": ISSUER,
        "iat": int(datetime(2027, 3, 5, tzinfo=UTC).timestamp()),
        "exp": int(datetime(2028, 3, 4, tzinfo=UTC).timestamp()),
        "vct": MOBILE_ID_VCT,
        "cnf": {"jwk": {name: wallet.jwk[name] for name in ("kty", "crv", "x", "y")}},
        "status": {
            "status_list": {"idx": mobile_id.status_index, "uri": f"{ISSUER}/status/1"},
        },
        "name": HONG.name,
        "agency": HONG.agency,
        "department": HONG.department,
        "rank": HONG.rank,
        "personnel_number": "E100",
        "portrait": claims["portrait"],
        "date_of_issuance": "2027-03-05",
        "issuing_authority": "행정안전부",
    }
    assert claims["portrait"].startswith("data:image/jpeg;base64,")
    assert (
        unb64(claims["portrait"].split(",")[1].rstrip("=").replace("+", "-").replace("/", "_"))
        == PHOTO
    )


def test_header_and_form_of_the_credential(world: World, wallet: Wallet) -> None:
    credential = wallet.receive(world.offers.make_offer("E100", "staff-1"))
    jws, *disclosures, last = credential.split("~")
    assert last == ""
    assert head(jws)["typ"] == "dc+sd-jwt"
    claims = payload(jws)
    assert claims["_sd_alg"] == "sha-256"
    assert claims["_sd"] == sorted(claims["_sd"])
    assert not set(MOBILE_ID_CLAIMS) & claims.keys()
    names = [json.loads(unb64(one))[1] for one in disclosures]
    assert sorted(names) == sorted(MOBILE_ID_CLAIMS)
    salts = {json.loads(unb64(one))[0] for one in disclosures}
    assert len(salts) == len(disclosures)
    assert all(len(unb64(salt)) >= 16 for salt in salts)


@pytest.mark.parametrize(
    "photo",
    [None, b"", b"\x89PNG\r\n\x1a\n" + b"\x00" * 20, b"\xff\xd8\xff" + b"\x00" * 70000],
    ids=["none", "empty", "png", "too large"],
)
def test_without_a_fit_photo_there_is_no_portrait_and_nothing_tells(
    world: World, wallet: Wallet, photo: bytes | None
) -> None:
    world.directory.add(HONG, photo=photo)
    credential = wallet.receive(world.offers.make_offer("E100", "staff-1"))
    assert "portrait" not in verified(world, credential)
    assert len(payload(credential.split("~")[0])["_sd"]) == len(MOBILE_ID_CLAIMS)


def test_date_of_issuance_is_the_day_in_korea(world: World, wallet: Wallet) -> None:
    world.clock.at = datetime(2027, 3, 5, 15, 0, tzinfo=UTC)
    credential = wallet.receive(world.offers.make_offer("E100", "staff-1"))
    assert verified(world, credential)["date_of_issuance"] == "2027-03-06"


def test_a_second_mobile_id_ends_the_first(world: World, wallet: Wallet) -> None:
    wallet.receive(world.offers.make_offer("E100", "staff-1"))
    world.clock.forward(60)
    Wallet(world).receive(world.offers.make_offer("E100", "staff-1"))
    assert [one.state for one in world.cutoff.all()] == [MobileIdState.LIVE, MobileIdState.REVOKED]


def test_an_offer_never_holds_the_digits(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    assert len(offer.tx_code) == 6
    assert offer.tx_code.isdigit()
    assert offer.credential_offer_uri.startswith("openid-credential-offer://?credential_offer_uri=")
    document = wallet.read_offer(offer.credential_offer_uri)
    assert offer.tx_code not in json.dumps(document)
    assert offer.tx_code not in offer.credential_offer_uri
    (grant,) = document["grants"].values()
    assert grant["tx_code"]["input_mode"] == "numeric"
    assert grant["tx_code"]["length"] == 6
    assert len(unb64(grant["pre-authorized_code"])) >= 16
    assert document["credential_issuer"] == ISSUER
    assert offer.expires_at == world.clock() + timedelta(seconds=600)


def test_the_store_holds_no_digits_and_no_token(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    token = wallet.token(offer)
    everything = json.dumps(world.short.dump())
    assert f'"{offer.tx_code}' not in everything
    assert token not in everything


def test_an_offer_is_there_until_it_expires(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    path = "/issuer/offers/" + offer.credential_offer_uri.rsplit("%2F", 1)[1]
    assert wallet.client.get(path).headers["Cache-Control"] == "no-store"
    wallet.token(offer)
    assert wallet.client.get(path).status_code == 200
    world.clock.forward(600)
    assert wallet.client.get(path).status_code == 404


@pytest.mark.parametrize("offer_id", ["x", "x" * 5000, "%00", "%ff", "가"])
def test_an_offer_that_was_never_made(wallet: Wallet, offer_id: str) -> None:
    answer = wallet.client.get(f"/issuer/offers/{offer_id}")
    assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")


def test_one_issuance_is_one_journey(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    wallet.receive(offer)
    kinds = [event["kind"] for event in world.journal.read(journey=offer.id)]
    assert sorted(kinds) == ["mobile_id:issue:done", "mobile_id:offer:made"]
    everything = json.dumps(world.journal.read(), ensure_ascii=False)
    for secret in (offer.tx_code, HONG.name, "E100", wallet.key.thumbprint()):
        assert f'"{secret}"' not in everything
