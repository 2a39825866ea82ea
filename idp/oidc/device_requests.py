"""What devices asked for, in the short-lived store: found by the device's code, or by the one a person types.

    waiting --typed in a browser--> typed --the person decides--> allowed | refused

Each change is a compare-and-set; the code that a person types is taken by its first use.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from idp import browser, randomness
from idp.errors import LoginNotFound, WrongStep
from idp.login import digest
from idp.services import services

LIFETIME_S = 600
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no words, and none that looks like another
CODE_LENGTH = 8
_REMEMBERED_S = 3 * LIFETIME_S  # longer, so that an expired one can be called that
_ID_LENGTH = len(digest(""))


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What a device asked for, and how far that is."""

    client_id: str
    scope: tuple[str, ...]
    user_code: str  # as the device shows it
    asked_at: datetime
    expires_at: datetime
    device: str  # short summary, address and named network of who asks
    address: str
    network: str
    step: Literal["waiting", "typed", "allowed", "refused"] = "waiting"
    browser_hash: str = ""  # of the browser that typed the code: it alone goes on
    session: str = ""  # that allowed it


@dataclass(frozen=True, slots=True)
class Stored:
    """A request, its id, and the text it was read from, for the compare-and-set."""

    id: str  # the digest of the device's code
    request: DeviceRequest
    text: str


_ADAPTER: TypeAdapter[DeviceRequest] = TypeAdapter(DeviceRequest)


def add(client_id: str, scope: tuple[str, ...]) -> tuple[str, DeviceRequest]:
    """A new request of whoever calls, and the device's code for it. WrongStep by a rare chance."""
    parts, device_code = services(), randomness.token(32)
    now, request_id = parts.now(), digest(device_code)
    code = "".join(LETTERS[randomness.below(len(LETTERS))] for _ in range(CODE_LENGTH))
    request = DeviceRequest(
        client_id=client_id,
        scope=scope,
        user_code=f"{code[:4]}-{code[4:]}",
        asked_at=now,
        expires_at=now + timedelta(seconds=LIFETIME_S),
        device=browser.device(),
        address=browser.address(),
        network=browser.network(),
    )
    if not parts.short.put_new(f"usercode:{digest(code)}", request_id, LIFETIME_S):
        raise WrongStep("another device has this code")
    parts.short.put(f"device:{request_id}", _dump(request), _REMEMBERED_S)
    return device_code, request


def claim(typed: str, browser_hash: str) -> str | None:
    """The id of the request whose code this is, for this browser from now on; None for a wrong code."""
    code = "".join(letter for letter in typed.upper() if letter in LETTERS)
    taken = services().short.take(f"usercode:{digest(code)}") if len(code) == CODE_LENGTH else None
    stored = _load(taken.value) if taken is not None else None
    if stored is None:
        return None
    change(stored, replace(stored.request, step="typed", browser_hash=browser_hash))
    return stored.id


def load_for(request_id: str, browser_hash: str) -> Stored:
    """A request, for the browser that typed its code. LoginNotFound for any other."""
    stored = _load(request_id) if len(request_id) == _ID_LENGTH else None
    if stored is None or stored.request.browser_hash != browser_hash:
        raise LoginNotFound("no such device in this browser")
    return stored


def of_code(device_code: str) -> Stored | None:
    """The request that a device's code names."""
    return _load(digest(device_code)) if 40 <= len(device_code) <= 64 else None


def change(stored: Stored, request: DeviceRequest) -> None:
    """The next step, when nobody was quicker. WrongStep."""
    if not services().short.replace(f"device:{stored.id}", stored.text, _dump(request)):
        raise WrongStep("the request of the device has gone on")


def take(stored: Stored) -> bool:
    """Use a request up; true for exactly one caller."""
    return services().short.take(f"device:{stored.id}") is not None


def _load(request_id: str) -> Stored | None:
    text = services().short.get(f"device:{request_id}")
    if text is None:
        return None
    try:
        return Stored(request_id, _ADAPTER.validate_json(text), text)
    except ValidationError:  # written by another version of ours
        return None


def _dump(request: DeviceRequest) -> str:
    return _ADAPTER.dump_json(request).decode()
