"""How much one address, or one relying party, may ask in a minute; beyond it 429 and one event a minute.

Sign-ins that begin, nonces and pictures are counted. Of all else only refusals are: past the limit a
refusal is answered without an event, so that a flood of bad requests writes nothing. What is right is
answered as ever, so nobody can shut out a building behind one address, nor a relying party.
"""

from flask import request

from idp import browser
from idp.errors import GongmuError, OutsideError, RequestError
from idp.events import Reason
from idp.services import services

WINDOW_S = 60
_BY_PATH = {"/issuer/nonce": "nonces", "/wallet/read-qr": "pictures"}


def check_path() -> None:
    """For what costs much and asks for nothing: RequestError (429) once it is too often."""
    what = _BY_PATH.get(request.path)
    if what is not None and request.method == "POST":
        must_fit(what)


def must_fit(what: str) -> None:
    """Count one for this address. RequestError (429) when it was one too many."""
    _must_fit(what, browser.address(), getattr(services().settings.rates, what))


def of_refusal(error: GongmuError) -> GongmuError:
    """The refusal itself, or "too many" in its place."""
    if error.recorded or isinstance(error, OutsideError) or error.status == 429:
        return error
    limit = services().settings.rates.refusals
    try:
        _must_fit("refusals", browser.address(), limit)
        if error.relying_party:
            _must_fit("refusals", f"of {error.relying_party}", limit)
    except OutsideError:  # nobody counts: as before
        return error
    except RequestError as too_many:
        return too_many
    return error


def _must_fit(what: str, whose: str, limit: int) -> None:
    count = services().short.count(f"rate:{what}:{whose}", WINDOW_S)
    if count > limit:
        error = RequestError("slow_down", "too many requests", detail=what, reason=Reason.RATE)
        error.status = 429
        error.recorded = count > limit + 1
        raise error
