"""Answering a request (OpenID4VP 1.0 §8): the presentation, its encryption, and sending it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from idp_wallet.dcql import Choice
from idp_wallet.encoding import dump
from idp_wallet.faults import AnswerRefused, RequestUntrusted
from idp_wallet.keys import encrypt
from idp_wallet.links import is_safe
from idp_wallet.request import Request
from idp_wallet.sd_jwt import present
from idp_wallet.web import Web


def make_answer(request: Request, choices: Sequence[Choice], now: datetime) -> dict[str, str]:
    """The form fields of the answer (§8.1, §8.3). RequestUntrusted for an unusable key."""
    vp_token = {choice.query_id: [_presentation(request, choice, now)] for choice in choices}
    return _form(request, {"vp_token": vp_token})


def make_refusal(request: Request) -> dict[str, str]:
    """The form fields that say no (§8.5)."""
    return _form(request, {"error": "access_denied"})


def send(web: Web, request: Request, form: Mapping[str, str]) -> str:
    """Post the answer; the address to open in the phone's browser, "" for none (§8.2).

    AnswerRefused, Unreachable. A redirect is not followed: the answer is for the verifier alone.
    """
    answer = web.post_form(request.response_uri, form, "application/json")
    if answer.status != 200:
        raise AnswerRefused("The verifier did not accept the answer.")
    redirect_uri = answer.json().get("redirect_uri", "")
    if redirect_uri == "":
        return ""
    if not isinstance(redirect_uri, str) or not is_safe(redirect_uri.split("#")[0]):
        raise AnswerRefused(
            "The verifier took the answer but leads to an address that is not safe."
        )
    return redirect_uri


def _presentation(request: Request, choice: Choice, now: datetime) -> str:
    """Bound to this request: its nonce, and the full client_id as audience (§14.1.2)."""
    claims = {"iat": int(now.timestamp()), "aud": request.client_id, "nonce": request.nonce}
    card = choice.card
    return present(card.sd_jwt, choice.disclosures, card.key, claims)


def _form(request: Request, answer: dict[str, Any]) -> dict[str, str]:
    if request.state is not None:
        answer = {**answer, "state": request.state}
    if request.encryption is None:
        return {name: _plain(value) for name, value in answer.items()}
    try:
        return {"response": encrypt(answer, request.encryption.jwk, request.encryption.enc)}
    except ValueError as error:
        raise RequestUntrusted("The request's key cannot be used to encrypt.") from error


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else dump(value).decode()
