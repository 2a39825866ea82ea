"""The mobile ID asked for through the browser: Digital Credentials API (OpenID4VP 1.0 Appendix A; A-166)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idp.contracts import BrowserWalletMethod, Proof
from idp.errors import ProofDeclined, ProofRejected
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.wallet import FakeWallet, RequestRefused
from tests.unit.idp_mobile_id.scene import BASE_URL, Scene

ORIGIN = BASE_URL


class Browser:
    """A browser on the sign-in page, with a wallet behind it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.options = scene.method.browser_request(scene.attempt, scene.state)
        self.request = self.read(ORIGIN)

    def read(self, origin: str, options: Any = None) -> dict[str, Any]:
        root = self.scene.verifier_root.der
        return self.scene.wallet.read_browser_request(options or self.options, root, origin)

    def present(self, origin: str = ORIGIN, **spoilt: Any) -> str:
        """A presentation by a browser that is on `origin`."""
        claims = {"aud": f"origin:{origin}", **spoilt.pop("claims", {})}
        scene = self.scene
        return scene.wallet.present(
            scene.credential(), self.request, scene.now, claims=claims, **spoilt
        )

    def answer(self, presentation: str | None = None, **spoilt: Any) -> dict[str, str]:
        return self.scene.wallet.browser_answer(
            self.request, presentation or self.present(), **spoilt
        )

    def complete(self, answer: Any = None) -> Proof:
        scene = self.scene
        return scene.method.complete_in_browser(
            scene.attempt, scene.state, self.answer() if answer is None else answer
        )

    def refused(self, answer: Any) -> Reason:
        with pytest.raises(ProofRejected) as caught:
            self.complete(answer)
        return caught.value.reason


@pytest.fixture
def browser(scene: Scene) -> Browser:
    return Browser(scene)


def test_it_is_what_the_core_asks_for(scene: Scene) -> None:
    assert isinstance(scene.method, BrowserWalletMethod)


def test_a_sign_in(browser: Browser) -> None:
    proof = browser.complete()
    assert proof.identifier.number == browser.scene.complete().identifier.number
    assert proof.means == {"dc_api"}
    assert proof.amr == {"pop"}
    assert proof.credential == "mobile-id-5"


def test_what_is_asked(browser: Browser) -> None:
    request, scene = browser.request, browser.scene
    assert set(request) == {
        "aud",
        "client_id",
        "expected_origins",
        "response_type",
        "response_mode",
        "nonce",
        "exp",
        "dcql_query",
        "client_metadata",
    }
    assert request["expected_origins"] == [ORIGIN]
    assert request["nonce"] == scene.attempt.nonce
    assert request["dcql_query"] == scene.request["dcql_query"]
    assert request["client_metadata"] == scene.request["client_metadata"]
    assert json.loads(json.dumps(browser.options)) == browser.options


def test_the_origin_is_the_issuers_without_its_path(scene: Scene) -> None:
    scene.kit = replace(scene.kit, base_url="https://id.example:8443/idp")
    options = scene.open(client_id_prefix="x509_hash").browser_request(scene.attempt, scene.state)
    [asked] = options["requests"]
    assert jws.claims_of(asked["data"]["request"])["expected_origins"] == [
        "https://id.example:8443"
    ]


def test_it_is_encrypted_where_posted_answers_are_not(tmp_path: Path) -> None:
    browser = Browser(Scene(tmp_path, response_mode="direct_post"))
    assert browser.request["client_metadata"]["jwks"]["keys"]
    assert browser.complete().means == {"dc_api"}
    [presentation] = [browser.present()]
    plain = {"data": {"vp_token": {"mobile_id": [presentation]}}}
    assert browser.refused(browser.answer(credential=plain)) is Reason.PROOF_UNENCRYPTED


# --- A-166 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:8001", "null", ""])
def test_a166_a_wallet_refuses_another_sites_browser(browser: Browser, origin: str) -> None:
    with pytest.raises(RequestRefused, match="expected_origins"):
        browser.read(origin)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://localhost:8000", f"{ORIGIN}/", f"{ORIGIN}.evil.example", ""],
)
def test_a166_an_answer_from_another_sites_browser(browser: Browser, origin: str) -> None:
    """As a wallet would make it that does not look at expected_origins."""
    assert browser.refused(browser.answer(browser.present(origin))) is Reason.HOLDER_AUDIENCE


@pytest.mark.parametrize("audience", ["client_id", ORIGIN, f"web-origin:{ORIGIN}", "", None, 5])
def test_a166_another_audience(browser: Browser, audience: Any) -> None:
    if audience == "client_id":
        audience = browser.request["client_id"]
    presentation = browser.present(claims={"aud": audience})
    assert browser.refused(browser.answer(presentation)) is Reason.HOLDER_AUDIENCE


def test_a166_answers_do_not_cross_between_the_ways(browser: Browser) -> None:
    """A relayed QR's answer is none that a browser brought, and the other way round."""
    scene = browser.scene
    of_the_qr = browser.answer(scene.present())
    assert browser.refused(of_the_qr) is Reason.HOLDER_AUDIENCE
    assert scene.refused(scene.answer(browser.present())) is Reason.HOLDER_AUDIENCE


@pytest.mark.parametrize(
    "protocol",
    ["openid4vp-v1-unsigned", "openid4vp-v1-multisigned", "openid4vp", "org-iso-mdoc", "", None, 5],
)
def test_a166_another_protocol(browser: Browser, protocol: Any) -> None:
    answer = browser.answer(credential={"protocol": protocol})
    assert browser.refused(answer) is Reason.PROOF_QUERY
    answer = browser.answer(credential={"protocol": jws.DROP})
    assert browser.refused(answer) is Reason.PROOF_QUERY


def test_a166_a_wallet_refuses_an_unsigned_request(browser: Browser) -> None:
    [asked] = browser.options["requests"]
    claims = jws.claims_of(asked["data"]["request"])
    unsigned = {"requests": [{"protocol": "openid4vp-v1-unsigned", "data": claims}]}
    with pytest.raises(RequestRefused, match="protocol"):
        browser.read(ORIGIN, unsigned)


# --- as for the QR ----------------------------------------------------------------------------------


def test_another_sign_ins_answer(browser: Browser) -> None:
    presentation = browser.present(claims={"nonce": "another"})
    assert browser.refused(browser.answer(presentation)) is Reason.HOLDER_NONCE
    other = Browser(Scene(browser.scene.folder))
    assert browser.refused(other.answer()) is Reason.PROOF_DECRYPTION


def test_another_phones_credential(browser: Browser) -> None:
    thief = FakeWallet()
    assert browser.refused(browser.answer(browser.present(key=thief.key))) is Reason.HOLDER_BINDING


def test_one_presentation(browser: Browser) -> None:
    answer = browser.scene.wallet.browser_answer(
        browser.request, browser.present(), browser.present()
    )
    assert browser.refused(answer) is Reason.PROOF_QUERY


def test_errors_of_the_wallet(browser: Browser) -> None:
    for member in ({"data": {"error": "access_denied"}},):
        with pytest.raises(ProofDeclined):
            browser.complete(browser.answer(credential=member))
    with pytest.raises(ProofDeclined):
        browser.complete(browser.answer(payload={"error": "access_denied"}))
    answer = browser.answer(credential={"data": {"error": "<script>"}})
    assert browser.refused(answer) is Reason.PROOF_QUERY


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"credential": 5},
        {"credential": ""},
        {"credential": "[]"},
        {"credential": '{"protocol":"x","protocol":"openid4vp-v1-signed","data":{}}'},
        {"credential": "[" * 100_000},
        {"credential": '"' + "x" * 300_000 + '"'},
        {"credential": "\ud800"},
        {"credential": '{"protocol":"openid4vp-v1-signed"}'},
        {"credential": '{"protocol":"openid4vp-v1-signed","data":"text"}'},
        {"response": "eyJ9"},
    ],
)
def test_answers_that_are_none(browser: Browser, answer: dict[str, Any]) -> None:
    assert browser.refused(answer) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize("response", [None, 5, [], {}, jws.DROP])
def test_answers_without_a_response(browser: Browser, response: Any) -> None:
    data = {} if response is jws.DROP else {"response": response}
    answer = browser.answer(credential={"data": data})
    assert browser.refused(answer) is Reason.PROOF_UNENCRYPTED
    answer = browser.answer(credential={"data": {"response": "a.b.c.d.e"}})
    assert browser.refused(answer) in (Reason.PROOF_DECRYPTION, Reason.PROOF_MALFORMED)
