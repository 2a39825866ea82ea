"""The wallet's JavaScript in a real browser, checked against Python."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import Browser, Error, Page

from idp_wallet.keys import new_key, public_jwk
from idp_wallet.sd_jwt import digest
from tests.unit.idp_wallet.test_receive import configuration, put
from tests.unit.idp_wallet.test_sd_jwt import DEEP, A, disclosure, issued
from tests.unit.idp_wallet.world import (
    PERSON,
    VCT,
    World,
    check_proof,
    decrypted,
    issue,
    party,
    verified,
)

pytestmark = pytest.mark.browser
NOW = int(datetime.now(UTC).timestamp())


@pytest.fixture(scope="module")
def empty_page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def page(empty_page: Page, served_wallet: World) -> Page:
    """An empty page of the wallet's origin: modules are imported from there."""
    empty_page.goto(f"{served_wallet.base}/assets/wallet/icon.svg")
    return empty_page


def call(page: Page, module: str, body: str, *arguments):
    """`body` is what an async function does with `m` (the module) and `a` (the arguments)."""
    script = f"async (a) => {{ const m = await import('/assets/wallet/{module}'); {body} }}"
    return page.evaluate(script, list(arguments))


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_python_decrypts_what_the_browser_encrypted(page, enc):
    key = ECKey.generate_key("P-256", {"kid": "k1"}, auto_kid=False)
    claims = {"vp_token": {"mobile_id": ["가나다~"]}, "state": "s"}
    public = {**key.as_dict(private=False), "use": "enc", "alg": "ECDH-ES"}
    token = call(page, "jwe.js", "return m.encrypt(a[0], a[1], a[2]);", claims, public, enc)
    assert decrypted(token, key) == claims
    from idp_wallet.encoding import decode, parse_object

    header = parse_object(decode(token.split(".")[0]))
    assert (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES", enc, "k1")
    assert set(header["epk"]) == {"kty", "crv", "x", "y"}


@pytest.mark.parametrize(
    ("jwk", "enc"),
    [
        (public_jwk(new_key()), "A128CBC-HS256"),
        (public_jwk(new_key()) | {"y": public_jwk(new_key())["y"]}, "A256GCM"),
        ({"kty": "oct"}, "A256GCM"),
    ],
)
def test_the_browser_encrypts_to_a_proper_key_only(page, jwk, enc):
    with pytest.raises(Error):
        call(page, "jwe.js", "return m.encrypt({}, a[0], a[1]);", jwk, enc)


def test_the_holders_key_cannot_leave_the_browser(page):
    body = "const k = await m.newKey(); await crypto.subtle.exportKey('jwk', k.privateKey);"
    with pytest.raises(Error, match="not extractable"):
        call(page, "keys.js", body)


def test_the_browsers_key_proof(page):
    body = """
      const k = await m.newKey();
      const jwk = await m.publicJwk(k);
      const claims = {aud: 'https://id.go.kr', iat: 1, nonce: 'n'};
      return [jwk, await m.signJwt('openid4vci-proof+jwt', claims, k, {jwk})];
    """
    jwk, proof = call(page, "keys.js", body)
    assert check_proof(proof, "https://id.go.kr", "n") == jwk


PRESENT = """
  const keys = await (await import('/assets/wallet/keys.js')).newKey();
  const jwk = await (await import('/assets/wallet/keys.js')).publicJwk(keys);
  const credential = await (await fetch('/test/issue', {
    method: 'POST', body: JSON.stringify(jwk), headers: {'Content-Type': 'application/json'}})).text();
  const parsed = await m.parse(credential);
  const found = m.find(parsed.root, ['name']);
  const claims = {iat: a[0], aud: 'x509_hash:abc', nonce: 'nonce-0123456789'};
  return [parsed.claims, await m.present(parsed, found[0].disclosures, keys, claims)];
"""


def test_an_independent_verifier_reads_the_browsers_presentation(page, served_wallet):
    claims, text = call(page, "sd-jwt.js", PRESENT, NOW)
    assert claims | PERSON == claims
    seen = verified(text, served_wallet.issuer, "x509_hash:abc", "nonce-0123456789")
    assert seen["name"] == PERSON["name"]
    assert not (PERSON.keys() - {"name"}) & seen.keys()


NESTED = disclosure("s1", "street", "세종대로")
ADDRESS = disclosure("s3", "address", {"_sd": [digest(NESTED)], "zip": "1"})
ELEMENT = disclosure("s4", {"x": 1})


def test_nested_claims_in_the_browser(page):
    text = issued(
        {"_sd": [digest(ADDRESS)], "list": [0, {"...": digest(ELEMENT)}]}, NESTED, ADDRESS, ELEMENT
    )
    body = "const s = await m.parse(a[0]); return a[1].map((path) => m.find(s.root, path));"
    paths = [
        ["address", "street"],
        ["address"],
        ["address", "zip"],
        ["list", 1, "x"],
        ["list", None],
        ["list", 2],
        ["address", 0],
    ]
    found = call(page, "sd-jwt.js", body, text, paths)
    assert [[one["disclosures"] for one in each] for each in found] == [
        [[ADDRESS, NESTED]],
        [[ADDRESS, NESTED]],
        [[ADDRESS]],
        [[ELEMENT]],
        [[], [ELEMENT]],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": []}, [A]),
        ({"_sd": [digest(A), digest(A)]}, [A]),
        ({"_sd": [digest(A)]}, [A, A]),
        ({"_sd": [digest(A)], "a": 2}, [A]),
        ({"_sd": [digest(disclosure("s", "_sd", 1))]}, [disclosure("s", "_sd", 1)]),
        ({"_sd": [digest(disclosure("s", 1))]}, [disclosure("s", 1)]),
        ({"_sd": "x"}, []),
        ({"a": {"...": "x"}}, []),
        ({"a": [{"...": "x", "b": 1}]}, []),
        ({"_sd_alg": "md5"}, []),
        ({"_sd": [digest(DEEP[-1])]}, DEEP),
        ({}, [A] * 200),
    ],
)
def test_r040_the_browser_refuses_credentials_out_of_order(page, payload, disclosures):
    with pytest.raises(Error):
        call(page, "sd-jwt.js", "await m.parse(a[0]);", issued(payload, *disclosures))


CHOOSE = """
  const { parse } = await import('/assets/wallet/sd-jwt.js');
  const cards = await Promise.all(a[1].map(async (text) => ({ sdJwt: await parse(text) })));
  try {
    return m.choose(a[0], cards, a[2]).map(({ id, names, disclosures }) => [id, names, disclosures]);
  } catch (error) { return error.code ?? String(error); }
"""


def part(**changes):
    return {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}} | changes


def test_the_browser_chooses_as_python_does(page, card, world):
    """One list of questions, both implementations, the same answers."""
    from cryptography import x509

    from idp_wallet.dcql import choose, read_query
    from idp_wallet.encoding import encode
    from idp_wallet.faults import WalletStopped

    ski = world.issuer.root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    known = encode(ski.value.digest)
    name, rank, born = ({"id": n, "path": [n]} for n in ("name", "rank", "birthdate"))
    two = [part(id="b"), part(id="c", meta={"vct_values": ["urn:none"]})]
    questions = [
        {"credentials": [part()]},
        {"credentials": [part(claims=[name])]},
        {"credentials": [part(claims=[name, rank])]},
        {"credentials": [part(claims=[name, born])]},
        {"credentials": [part(claims=[name, rank, born], claim_sets=[["birthdate"], ["rank"]])]},
        {"credentials": [part(claims=[{"path": ["name"], "values": ["김"]}])]},
        {"credentials": [part(claims=[{"path": ["name"], "values": [PERSON["name"]]}])]},
        {"credentials": [part(format="mso_mdoc")]},
        {"credentials": [part(meta={})]},
        {"credentials": two},
        {"credentials": two, "credential_sets": [{"options": [["c"], ["b"]]}]},
        {"credentials": two, "credential_sets": [{"options": [["c"]], "required": False}]},
        {"credentials": two, "credential_sets": [{"options": [["c"]]}, {"options": [["b"]]}]},
        {"credentials": [part(trusted_authorities=[{"type": "aki", "values": [known]}])]},
        {"credentials": [part(trusted_authorities=[{"type": "aki", "values": ["AAAA"]}])]},
        {"credentials": [part(trusted_authorities=[{"type": "etsi_tl", "values": [known]}])]},
    ]
    for at in (NOW, NOW + 86400):
        for question in questions:
            try:
                moment = datetime.fromtimestamp(at, UTC)
                chosen = choose(read_query(question), [card], moment)
                expected = [[c.query_id, list(c.names), list(c.disclosures)] for c in chosen]
            except WalletStopped as stopped:
                expected = stopped.code
            found = call(page, "dcql.js", CHOOSE, question, [card.credential], at)
            assert found == expected, json.dumps(question)


def test_links_in_the_browser(page, served_wallet):
    body = "try { return m.pageFor(a[0]); } catch (error) { return error.code; }"
    offer = "?credential_offer_uri=https%3A%2F%2Fid.go.kr%2Fo"
    for link, expected in (
        (f"openid-credential-offer://{offer}", f"/wallet/receive{offer}"),
        (" openid4vp://?client_id=a&request_uri=b ", "/wallet/present?client_id=a&request_uri=b"),
        (f"{served_wallet.base}/wallet/receive{offer}", f"/wallet/receive{offer}"),
        (f"https://evil.go.kr/wallet/receive{offer}", "link_unreadable"),
        ("javascript:alert(1)?x", "link_unreadable"),
        ("openid4vp://", "link_unreadable"),
        ("hello", "link_unreadable"),
    ):
        assert call(page, "links.js", body, link) == expected
    assert call(page, "links.js", "try { m.parameters('?a=1&a=2') } catch (e) { return e.code }")


RECEIVE = """
  try {
    const offer = await m.readOffer(a[0], 'ko');
    const { issuer, credential } = await m.receive(offer, a[1], a[2]);
    return [offer.name, issuer, credential.length > 100];
  } catch (error) { return error.code ?? String(error); }
"""


def take(page, world, code="123456"):
    return call(page, "issue.js", RECEIVE, world.offer_link.partition("?")[2], code, NOW)


def test_the_browser_receives(page, served_wallet):
    assert take(page, served_wallet) == ["인사혁신처", served_wallet.base, True]
    assert take(page, served_wallet, "000000") == "code_refused"


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("offer", put("credential_issuer", 7)),
        ("offer", put("credential_configuration_ids", ["other"])),
        ("offer", put("grants", {})),
        ("metadata", put("credential_issuer", "https://other.go.kr")),
        ("metadata", configuration(format="mso_mdoc")),
        ("metadata", configuration(proof_types_supported={})),
        ("server", put("issuer", "https://other.go.kr")),
        ("token", put("access_token", 7)),
        ("nonce", put("c_nonce", None)),
        ("credential_answer", put("credentials", [])),
        ("credential", lambda _text: "x.y.z~"),
    ],
)
def test_the_browser_refuses_an_offer_out_of_order(page, served_wallet, what, change):
    served_wallet.spoil[what] = change
    assert take(page, served_wallet) == "offer_refused"


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("offer", put("credential_issuer", "https://other.go.kr")),
        ("metadata", put("authorization_servers", ["https://other.go.kr"])),
        ("server", put("token_endpoint", "https://other.go.kr/token")),
        ("metadata", put("credential_endpoint", "https://other.go.kr/c")),
    ],
)
def test_the_browser_stays_on_its_own_site(page, served_wallet, what, change):
    served_wallet.spoil[what] = change
    assert take(page, served_wallet) == "other_site"


@pytest.mark.parametrize(
    "changes", [{"iss": "https://other.go.kr"}, {"vct": "urn:other"}, {"cnf": None}]
)
def test_the_browser_refuses_a_card_out_of_order(page, served_wallet, changes):
    world = served_wallet

    def spoil(_text):
        holder = public_jwk(new_key()) if "cnf" in changes else world.seen["holder"]
        rest = {name: value for name, value in changes.items() if name != "cnf"}
        return issue(party(), rest.pop("iss", world.base), holder, **rest)

    world.spoil["credential"] = spoil
    assert take(page, world) == "offer_refused"


def test_the_browser_refuses_a_card_that_its_issuer_did_not_sign(page, served_wallet):
    world = served_wallet
    world.spoil["credential"] = lambda _text: issue(party(), world.base, world.seen["holder"])
    assert take(page, world) == "card_untrusted"
