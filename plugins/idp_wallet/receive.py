"""Receiving a card (OpenID4VCI 1.0, pre-authorized code): token, nonce, proof, credential.

offer = fetch_offer(web, link)         who offers what; is a code asked for?
issuer = fetch_issuer(web, offer)      its addresses
card = receive(web, offer, issuer, ...)
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey

from idp_wallet.card import FORMAT, Card
from idp_wallet.chain import Anchors, leaf_of, parse_chain, speaks_for
from idp_wallet.faults import CardUntrusted, CodeRefused, OfferRefused
from idp_wallet.keys import new_key, peek_header, public_jwk, sign, verify
from idp_wallet.offer import PRE_AUTHORIZED, Issuer, Offer
from idp_wallet.sd_jwt import SdJwt, parse
from idp_wallet.web import Answer, Web


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person brings: the code from another channel; and the roots that they trust."""

    tx_code: str = ""
    anchors: Anchors = ()  # of issuers; () relies on TLS alone


def receive(web: Web, offer: Offer, issuer: Issuer, consent: Consent, now: datetime) -> Card:
    """A new card, bound to a new key. OfferRefused, CodeRefused, Unreachable."""
    check_code(offer, consent.tx_code)
    token = _token(web, offer, issuer, consent.tx_code)
    key = new_key()
    nonce = _nonce(web, issuer)
    proof = make_proof(offer.issuer, nonce, key, now)
    text = _credential(web, issuer, token, proof)
    check_credential(text, issuer, key, consent.anchors, now)
    return Card(text, key, offer.issuer, now)


def check_code(offer: Offer, tx_code: str) -> None:
    """The code's shape, before a try is spent on it. CodeRefused."""
    wanted = offer.tx_code
    if wanted is None:
        return
    if not tx_code:
        raise CodeRefused("The issuer asks for a code that you were given by another way.")
    wrong_length = wanted.length is not None and len(tx_code) != wanted.length
    digits = tx_code.isascii() and tx_code.isdigit()
    if wrong_length or (wanted.input_mode == "numeric" and not digits):
        raise CodeRefused("The code does not have the right length or holds wrong characters.")


def make_proof(issuer: str, nonce: str, key: ECKey, now: datetime) -> str:
    """A key proof (VCI 1.0 §F.1); without `iss`, since the wallet is anonymous."""
    claims: dict[str, Any] = {"aud": issuer, "iat": int(now.timestamp())}
    if nonce:
        claims["nonce"] = nonce
    return sign("openid4vci-proof+jwt", claims, key, jwk=public_jwk(key))


def check_credential(
    text: str, issuer: Issuer, key: ECKey, anchors: Anchors, now: datetime
) -> SdJwt:
    """A credential as the issuer gave it, or OfferRefused."""
    try:
        credential = parse(text)
        # 1. Signed by the certificate it carries; that one leads to a root, where roots are known.
        payload = _signed(credential, anchors, now)
        # 2. From this issuer, of the promised type.
        _check_claims(payload, issuer)
        # 3. Bound to the key of this wallet.
        _check_binding(payload, key)
    except ValueError as error:
        raise OfferRefused("The card that the issuer sent is not in order.") from error
    return credential


def check_signature(jwt: str, issuer: str, anchors: Anchors, now: datetime) -> None:
    """Does nothing when `issuer` signed this card under one of the roots. CardUntrusted.

    For a browser, which sends the signed part alone: without the disclosures it names nobody.
    """
    try:
        header = peek_header(jwt)
        if header.get("typ") == FORMAT:
            leaf = leaf_of(header, anchors, now)
            if speaks_for(leaf, issuer) and verify(jwt, leaf).get("iss") == issuer:
                return
    except ValueError as error:
        raise CardUntrusted("The card's signature does not lead to a root.") from error
    raise CardUntrusted("The card is not signed for this issuer.")


def _signed(credential: SdJwt, anchors: Anchors, now: datetime) -> dict[str, Any]:
    if credential.header.get("typ") != FORMAT:
        raise ValueError("typ")
    leaf = parse_chain(credential.header)[0]
    if anchors:
        _check_root(credential, anchors, now)
    return verify(credential.jwt, leaf)


def _check_root(credential: SdJwt, anchors: Anchors, now: datetime) -> None:
    """The leaf leads to a root and names the issuer: another issuer's leaf does not do."""
    try:
        leaf = leaf_of(credential.header, anchors, now)
        named = speaks_for(leaf, str(credential.payload.get("iss")))
    except ValueError as error:
        raise CardUntrusted("The card's issuer does not lead to one of the roots given.") from error
    if not named:
        raise CardUntrusted("The card is signed for another issuer than it names.")


def _check_claims(payload: dict[str, Any], issuer: Issuer) -> None:
    """`iss` and `vct` lie open, so that nobody can leave them out (SD-JWT VC §2.2.2.2)."""
    if payload.get("iss") != issuer.identifier or payload.get("vct") != issuer.vct:
        raise ValueError("iss or vct")


def _check_binding(payload: dict[str, Any], key: ECKey) -> None:
    cnf = payload.get("cnf")
    jwk = cnf.get("jwk") if isinstance(cnf, dict) else None
    ours = public_jwk(key)
    if not isinstance(jwk, dict) or any(jwk.get(name) != ours[name] for name in ours):
        raise ValueError("bound to another key")


def _token(web: Web, offer: Offer, issuer: Issuer, tx_code: str) -> str:
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": offer.code}
    if offer.tx_code is not None:
        form["tx_code"] = tx_code
    answer = web.post_form(issuer.token_endpoint, form, "application/json")
    body = answer.json()
    if answer.status == 400 and body.get("error") == "invalid_grant":
        raise CodeRefused("The issuer says that the code is wrong, or that the offer is used up.")
    token = body.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or not token:
        raise OfferRefused(f"The issuer did not accept the offer{_said(answer)}.")
    return token


def _nonce(web: Web, issuer: Issuer) -> str:
    if not issuer.nonce_endpoint:
        return ""
    answer = web.post_form(issuer.nonce_endpoint, {}, "application/json")
    nonce = answer.json().get("c_nonce")
    if answer.status != 200 or not isinstance(nonce, str) or not nonce:
        raise OfferRefused(f"The issuer gave no nonce{_said(answer)}.")
    return nonce


def _credential(web: Web, issuer: Issuer, token: str, proof: str) -> str:
    request = {
        "credential_configuration_id": issuer.configuration,
        "proofs": {"jwt": [proof]},
    }
    answer = web.post_json(issuer.credential_endpoint, request, token)
    if answer.status == 202:
        raise OfferRefused("The issuer will decide later; this wallet cannot wait for that yet.")
    credentials = answer.json().get("credentials")
    first = credentials[0] if isinstance(credentials, list) and credentials else None
    text = first.get("credential") if isinstance(first, dict) else None
    if answer.status != 200 or not isinstance(text, str):
        raise OfferRefused(f"The issuer did not give the card{_said(answer)}.")
    return text


def _said(answer: Answer) -> str:
    """The wire's own word for the help desk; anything longer is not repeated to the person."""
    error = answer.json().get("error")
    usable = isinstance(error, str) and len(error) <= 64 and error.isascii() and error.isprintable()
    return f" ({error})" if usable else f" (status {answer.status})"
