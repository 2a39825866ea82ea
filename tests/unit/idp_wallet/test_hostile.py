"""B-1: whatever arrives, the wallet answers with one of its own refusals."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp_wallet.card import Card
from idp_wallet.dcql import choose, read_query
from idp_wallet.faults import WalletStopped
from idp_wallet.keys import encrypt, new_key, public_jwk
from idp_wallet.links import PresentationLink, is_safe, read_link
from idp_wallet.request import verify_request
from idp_wallet.return_page import return_code_in
from idp_wallet.sd_jwt import parse
from tests.unit.idp_wallet.world import VCT, World, issue

NOW = datetime.now(UTC)
WORLD = World(base="https://id.go.kr")
KEY = new_key()
CARD = Card(issue(WORLD.issuer, WORLD.base, public_jwk(KEY)), KEY, WORLD.base, NOW)
REQUEST = WORLD.request_object("wallet-nonce-0123456789")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
few = settings(max_examples=150, deadline=None)


@st.composite
def spoiled(draw, text):
    """A text with one stretch replaced."""
    at = draw(st.integers(0, len(text) - 1))
    length = draw(st.integers(0, 8))
    return text[:at] + draw(st.text(max_size=8)) + text[at + length :]


@few
@given(st.text(max_size=80) | spoiled(WORLD.offer_link) | spoiled(WORLD.present_link))
def test_any_link(text):
    with contextlib.suppress(WalletStopped):
        read_link(text)
    is_safe(text)


@few
@given(spoiled(REQUEST))
def test_any_request_object(text):
    link = PresentationLink(WORLD.verifier.client_id, "", by_post=True)
    if text == REQUEST:
        return
    with pytest.raises(WalletStopped):
        verify_request(text, link, "wallet-nonce-0123456789", (WORLD.verifier.root,), NOW)


FIELDS = st.sampled_from(
    [*sorted(WORLD.request_claims("n")), "exp", "nbf", "scope", "redirect_uri"]
)


@few
@given(FIELDS, JSON)
def test_any_claim_of_a_signed_request(field, value):
    """Also a verifier with a certificate may send anything."""
    world = World(base=WORLD.base, verifier=WORLD.verifier, request={field: value})
    link = PresentationLink(WORLD.verifier.client_id, "", by_post=True)
    text = world.request_object("wallet-nonce-0123456789")
    with contextlib.suppress(WalletStopped):
        verify_request(text, link, "wallet-nonce-0123456789", (WORLD.verifier.root,), NOW)


@few
@given(st.text(max_size=60) | spoiled(CARD.credential))
def test_any_credential(text):
    with contextlib.suppress(ValueError):
        parse(text)


QUERIES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", ""]),
        "format": st.sampled_from(["dc+sd-jwt", "x"]),
        "meta": st.just({"vct_values": [VCT]}) | JSON,
    },
    optional={
        "claims": st.lists(
            st.fixed_dictionaries({"path": st.lists(st.sampled_from(["name", "x", 0, None]))})
        )
        | JSON,
        "claim_sets": JSON,
        "trusted_authorities": JSON,
    },
)


@few
@given(st.fixed_dictionaries({"credentials": st.lists(QUERIES, max_size=2) | JSON}) | JSON)
def test_any_question(query):
    with contextlib.suppress(WalletStopped):
        choose(read_query(query), [CARD], NOW)


@few
@given(
    st.fixed_dictionaries({name: st.text(max_size=50) for name in ("kty", "crv", "x", "y", "kid")})
)
def test_any_key(jwk):
    for key in (jwk, {**public_jwk(KEY), "x": jwk["x"]}, {**public_jwk(KEY), "crv": jwk["crv"]}):
        with contextlib.suppress(ValueError):
            encrypt({}, key, "A256GCM")


@few
@given(st.text(max_size=200) | spoiled('<output id="return-code">123 456</output>'))
def test_any_page(html):
    code = return_code_in(html)
    assert code == "" or code.isdigit()
