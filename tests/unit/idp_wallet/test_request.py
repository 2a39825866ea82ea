import hashlib
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from idp_wallet.encoding import encode
from idp_wallet.faults import RequestUntrusted
from idp_wallet.links import PresentationLink, read_link
from idp_wallet.request import fetch_request, verify_request
from tests.unit.idp_wallet.world import Party, World, certify, party

NOW = int(datetime.now(UTC).timestamp())


def ask(web, world, *, anchors=None, client_id="", nonce="wallet-nonce-0123456789"):
    link = read_link(world.present_link)
    assert isinstance(link, PresentationLink)
    if client_id:
        link = PresentationLink(client_id, link.request_uri, link.by_post)
    text = fetch_request(web, link, nonce)
    roots = (world.verifier.root,) if anchors is None else anchors
    return verify_request(text, link, nonce, roots, datetime.now(UTC))


def check(world: World, text="", **link):
    """Without a server: the request object as it would be served."""
    nonce = "wallet-nonce-0123456789"
    named = PresentationLink(
        link.get("client_id", world.verifier.client_id), "", link.get("by_post", True)
    )
    return verify_request(
        text or world.request_object(nonce),
        named,
        nonce,
        link.get("anchors", (world.verifier.root,)),
        datetime.now(UTC),
    )


@pytest.fixture
def quiet():
    return World(base="https://id.go.kr")


def test_a_request_is_believed(web, world):
    request = ask(web, world)
    assert request.verifier == "Gongmu sign-in"
    assert request.client_id == world.verifier.client_id
    assert request.host == world.base.removeprefix("http://")
    assert request.encryption is not None
    assert request.encryption.enc == "A256GCM"


def test_by_get_no_wallet_nonce_is_asked(web, world):
    link = PresentationLink(world.verifier.client_id, f"{world.base}/vp/1/request")
    text = fetch_request(web, link, "unused")
    assert verify_request(text, link, "unused", (world.verifier.root,), datetime.now(UTC))


def test_x509_san_dns(quiet):
    quiet.verifier = party("Named", dns="id.go.kr")
    quiet.request["client_id"] = "x509_san_dns:id.go.kr"
    assert check(quiet, client_id="x509_san_dns:id.go.kr").client_id == "x509_san_dns:id.go.kr"


@pytest.mark.parametrize(
    ("dns", "client_id", "response_uri"),
    [
        ("other.go.kr", "x509_san_dns:id.go.kr", "https://id.go.kr/r"),
        ("id.go.kr", "x509_san_dns:id.go.kr", "https://evil.go.kr/r"),
        ("id.go.kr", "redirect_uri:https://id.go.kr/r", "https://id.go.kr/r"),
        ("id.go.kr", "id.go.kr", "https://id.go.kr/r"),
        ("id.go.kr", "x509_hash:", "https://id.go.kr/r"),
        ("id.go.kr", "x509_hash:" + encode(hashlib.sha256(b"x").digest()), "https://id.go.kr/r"),
    ],
)
def test_the_certificate_is_the_one_the_client_id_names(quiet, dns, client_id, response_uri):
    quiet.verifier = party("Named", dns=dns)
    quiet.request |= {"client_id": client_id, "response_uri": response_uri}
    with pytest.raises(RequestUntrusted, match="name does not fit"):
        check(quiet, client_id=client_id)


def test_client_id_inside_equals_the_one_outside(quiet):
    with pytest.raises(RequestUntrusted, match="another verifier"):
        check(quiet, client_id=party().client_id)


def test_another_root(quiet):
    for anchors in ((party().root,), ()):
        with pytest.raises(RequestUntrusted, match="cannot be verified"):
            check(quiet, anchors=anchors)


def test_a_bad_signature(quiet):
    honest = quiet.verifier
    quiet.verifier = Party(party().key, honest.chain, honest.root)
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"alg": "none"},
        {"x5c": None},
        {"x5c": []},
        {"x5c": ["!"]},
        {"x5c": "x"},
        {"crit": ["b64"], "b64": True},
    ],
)
def test_headers_out_of_order(quiet, header):
    quiet.header = header
    text = quiet.verifier.sign(
        quiet.request_claims("wallet-nonce-0123456789"), **{"typ": "oauth-authz-req+jwt"} | header
    )
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet, text)


def test_a100_alg_none_is_no_signature(quiet):
    text = quiet.request_object("wallet-nonce-0123456789")
    payload = text.split(".")[1]
    x5c = b64encode(quiet.verifier.chain[0]).decode()
    header = encode(f'{{"alg":"none","typ":"oauth-authz-req+jwt","x5c":["{x5c}"]}}'.encode())
    for token in (f"{header}.{payload}.", "", "a.b.c", "..", "é", "x" * 70_000):
        with pytest.raises(RequestUntrusted, match="cannot be verified"):
            check(quiet, token or "-")


def test_the_root_may_not_stand_in_x5c(quiet):
    quiet.verifier.chain.append(quiet.verifier.root.public_bytes(Encoding.DER))
    with pytest.raises(RequestUntrusted):
        check(quiet)


def test_a_renewed_root_may_not_stand_in_x5c_either(quiet):
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root, renewed = (certify("Root", root_key, None, root_key, ca=True) for _ in range(2))
    leaf = certify("Leaf", key, root, root_key, ca=False)
    chain = [each.public_bytes(Encoding.DER) for each in (leaf, renewed)]
    quiet.verifier = Party(key, chain, root)
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)


def test_a_self_signed_leaf_is_refused_even_as_a_root(quiet):
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certify("Alone", key, None, key, ca=False)
    quiet.verifier = Party(key, [leaf.public_bytes(Encoding.DER)], leaf)
    with pytest.raises(RequestUntrusted):
        check(quiet)


@pytest.mark.parametrize("leaf", [{"days": -1}, {"ca": True}, {"signs": False}])
def test_leaves_that_may_not_sign(quiet, leaf):
    quiet.verifier = party("Leaf", **leaf)
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)


def chained(**middle):
    """Leaf, intermediate, root."""
    root_key, middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certify("Root", root_key, None, root_key, ca=True)
    between = certify("Middle", middle_key, root, root_key, **{"ca": True} | middle)
    leaf = certify("Leaf", key, between, middle_key, ca=False)
    return Party(key, [each.public_bytes(Encoding.DER) for each in (leaf, between)], root)


def test_an_intermediate_must_be_a_valid_authority(quiet):
    quiet.verifier = chained()
    assert check(quiet).verifier == "Leaf"
    for fault in ({"ca": False}, {"certifies": False}, {"days": -1}):
        quiet.verifier = chained(**fault)
        with pytest.raises(RequestUntrusted, match="cannot be verified"):
            check(quiet)


def test_an_intermediate_given_as_root_may_not_stand_in_x5c_either(quiet):
    quiet.verifier = chained()
    anchor = load_der_x509_certificate(quiet.verifier.chain[1])
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet, anchors=(anchor,))
    del quiet.verifier.chain[1]
    assert check(quiet, anchors=(anchor,)).verifier == "Leaf"


def test_long_chains_and_long_requests(quiet):
    quiet.verifier.chain = quiet.verifier.chain * 5
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)
    quiet.verifier.chain = quiet.verifier.chain[:1]
    quiet.request = {"padding": "x" * 70_000}
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)


def test_p384_is_not_es256(quiet):
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP384R1())
    root = certify("Root", root_key, None, root_key, ca=True)
    leaf = certify("Leaf", key, root, root_key, ca=False)
    stranger = party()
    quiet.verifier = Party(stranger.key, [leaf.public_bytes(Encoding.DER)], root)
    with pytest.raises(RequestUntrusted, match="cannot be verified"):
        check(quiet)


ENCRYPTION = World().request_claims(None)["client_metadata"]
KEY = ENCRYPTION["jwks"]["keys"][0]


def keyed(**changes):
    key = {name: value for name, value in (KEY | changes).items() if value is not None}
    return {"client_metadata": ENCRYPTION | {"jwks": {"keys": [key]}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.go.kr"},
        {"aud": None},
        {"wallet_nonce": "another-nonce"},
        {"wallet_nonce": None},
        {"exp": NOW - 120},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": NOW + 86400},
        {"iat": NOW + 86400},
        {"response_type": "code"},
        {"response_mode": "fragment"},
        {"response_mode": None},
        {"redirect_uri": "https://id.go.kr/cb"},
        {"response_uri": "http://id.go.kr/vp/1/response"},
        {"response_uri": "https://[::1/x"},
        {"response_uri": None},
        {"response_uri": 7},
        {"nonce": None},
        {"nonce": "short"},
        {"nonce": "with a space, and long enough"},
        {"state": "a b"},
        {"state": 7},
        {"scope": "mobile_id"},
        {"transaction_data": ["e30"]},
        {"dcql_query": None},
        {"dcql_query": {"credentials": []}},
        {"client_metadata": None},
        {"client_metadata": {}},
        {"client_metadata": {"jwks": {"keys": 7}}},
        {"client_metadata": {**ENCRYPTION, "encrypted_response_enc_values_supported": ["X"]}},
        {"client_metadata": {**ENCRYPTION, "encrypted_response_enc_values_supported": 7}},
        keyed(crv="P-384"),
        keyed(alg="RSA-OAEP"),
        keyed(use="sig"),
        keyed(d="AA"),
        keyed(x=None),
        keyed(y=7),
    ],
)
def test_a_request_out_of_order_is_refused(quiet, changes):
    quiet.request = changes
    with pytest.raises(RequestUntrusted):
        check(quiet)


def test_a128gcm_is_what_a_verifier_can_that_names_nothing(quiet):
    metadata = {"jwks": ENCRYPTION["jwks"]}
    quiet.request = {"client_metadata": metadata}
    request = check(quiet)
    assert request.encryption is not None
    assert request.encryption.enc == "A128GCM"


def test_gone_or_not_a_request(web, world):
    world.spoil["media_type"] = lambda _: "text/html"
    with pytest.raises(RequestUntrusted, match="not a request"):
        ask(web, world)
    link = PresentationLink(world.verifier.client_id, f"{world.base}/vp/2/request", by_post=True)
    with pytest.raises(RequestUntrusted, match="no longer there"):
        fetch_request(web, link, "n")
