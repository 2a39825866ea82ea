from datetime import UTC, datetime

import pytest

from idp_wallet.chain import Anchors
from idp_wallet.faults import CardUntrusted, CodeRefused, OfferRefused, Unreachable
from idp_wallet.keys import new_key, public_jwk
from idp_wallet.links import read_link
from idp_wallet.offer import fetch_issuer, fetch_offer, well_known
from idp_wallet.receive import Consent, receive
from tests.unit.idp_wallet.world import PERSON, issue, party


def take(web, world, tx_code="123456", anchors: Anchors = ()):
    offer = fetch_offer(web, read_link(world.offer_link))
    issuer = fetch_issuer(web, offer)
    return receive(web, offer, issuer, Consent(tx_code, anchors), datetime.now(UTC))


def test_a_card_is_received(web, world):
    card = take(web, world, anchors=(world.issuer.root,))
    assert card.face()["name"] == PERSON["name"]
    assert card.issuer == world.base
    assert world.seen["holder"] == public_jwk(card.key)
    assert world.seen["token"]["tx_code"] == "123456"


def test_without_tx_code_none_is_sent(web, world):
    world.tx_code = None
    take(web, world, tx_code="999")
    assert "tx_code" not in world.seen["token"]


@pytest.mark.parametrize("code", ["", "12345", "12345a", "１２３４５６"])
def test_a_code_of_the_wrong_shape_costs_no_try(web, world, code):
    with pytest.raises(CodeRefused):
        take(web, world, code)
    assert "token" not in world.seen


def test_a_wrong_code(web, world):
    with pytest.raises(CodeRefused, match="wrong"):
        take(web, world, "654321")


def test_well_known_stands_between_host_and_path():
    expected = "https://a.kr/.well-known/oauth-authorization-server/x/y"
    assert well_known("https://a.kr/x/y", "oauth-authorization-server") == expected
    assert well_known("https://a.kr", "z") == "https://a.kr/.well-known/z"


def put(name, value):
    return lambda document: {**document, name: value}


def without(name):
    return lambda document: {key: value for key, value in document.items() if key != name}


CONFIGURATION = {
    "format": "dc+sd-jwt",
    "vct": "x",
    "cryptographic_binding_methods_supported": ["jwk"],
    "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
}


def configuration(**changes):
    return put("credential_configurations_supported", {"mobile-id": CONFIGURATION | changes})


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("offer", put("credential_issuer", "http://id.go.kr")),
        ("offer", put("credential_issuer", 7)),
        ("offer", put("credential_configuration_ids", [])),
        ("offer", put("credential_configuration_ids", ["other"])),
        ("offer", put("grants", {})),
        ("offer", put("grants", {"authorization_code": {}})),
        ("metadata", put("credential_issuer", "https://other.go.kr")),
        ("metadata", put("authorization_servers", ["http://id.go.kr"])),
        ("metadata", put("credential_endpoint", "http://id.go.kr/c")),
        ("metadata", put("nonce_endpoint", "http://id.go.kr/c")),
        ("metadata", without("credential_endpoint")),
        ("metadata", configuration(format="mso_mdoc")),
        ("metadata", configuration(cryptographic_binding_methods_supported=["did:key"])),
        ("metadata", configuration(proof_types_supported={})),
        ("server", put("issuer", "https://other.go.kr")),
        ("server", put("token_endpoint", "http://id.go.kr/t")),
        ("server", without("token_endpoint")),
        ("token", without("access_token")),
        ("token", put("access_token", 7)),
        ("nonce", without("c_nonce")),
        ("credential_answer", put("credentials", [])),
        ("credential_answer", put("credentials", {})),
        ("credential_answer", put("credentials", [7])),
        ("credential", lambda _text: "x.y.z~"),
        ("credential", lambda text: text.replace(".", ".A", 1)),
    ],
)
def test_an_offer_out_of_order_is_refused(web, world, what, change):
    world.spoil[what] = change
    with pytest.raises(OfferRefused):
        take(web, world)
    if what in {"offer", "metadata", "server"}:
        assert "token" not in world.seen  # refused before the one-time code is spent


def reissued(world, **changes):
    def spoil(_text):
        holder = changes.pop("holder", world.seen["holder"])
        signer = changes.pop("signer", world.issuer)
        return issue(signer, changes.pop("iss", world.base), holder, **changes)

    return spoil


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.go.kr"},
        {"vct": "urn:other"},
        {"typ": "vc+sd-jwt"},
        {"holder": public_jwk(new_key())},
    ],
)
def test_a_card_out_of_order_is_refused(web, world, changes):
    world.spoil["credential"] = reissued(world, **changes)
    with pytest.raises(OfferRefused, match=r"not in order|another issuer"):
        take(web, world, anchors=(world.issuer.root,))


def test_a_card_of_another_issuer_is_refused_without_roots_too(web, world):
    world.spoil["credential"] = reissued(world, iss="https://other.go.kr")
    with pytest.raises(OfferRefused, match="not in order"):
        take(web, world)


def test_a_certificate_for_another_host_does_not_do(web, world):
    world.issuer = party("Issuing body", dns="other.go.kr")
    with pytest.raises(CardUntrusted, match="another issuer"):
        take(web, world, anchors=(world.issuer.root,))


def test_the_issuer_must_lead_to_a_root_where_roots_are_given(web, world):
    world.spoil["credential"] = reissued(world, signer=party("Stranger"))
    with pytest.raises(OfferRefused, match="roots given"):
        take(web, world, anchors=(world.issuer.root,))


def test_the_card_must_be_signed_by_its_certificate(web, world):
    impostor = party("Impostor")
    impostor.chain = world.issuer.chain
    world.spoil["credential"] = reissued(world, signer=impostor)
    with pytest.raises(OfferRefused, match="not in order"):
        take(web, world)


def test_the_offer_names_one_of_the_issuers_servers(web, world):
    def name(server):
        def change(offer):
            (kind, grant), *_ = offer["grants"].items()
            return {**offer, "grants": {kind: {**grant, "authorization_server": server}}}

        return change

    world.spoil["offer"] = name(f"{world.base}/as")
    assert take(web, world)
    world.spoil["offer"] = name(f"{world.base}/other")
    with pytest.raises(OfferRefused, match="does not know"):
        take(web, world)


def test_nobody_there(web):
    link = "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F127.0.0.1%3A1%2Fx"
    with pytest.raises(Unreachable):
        fetch_offer(web, read_link(link))


def test_an_answer_too_long(web, world):
    world.spoil["offer"] = put("x", "y" * 2_000_000)
    with pytest.raises(Unreachable, match="too long"):
        fetch_offer(web, read_link(world.offer_link))
