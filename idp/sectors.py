"""The document behind a `sector_identifier_uri` (OIDC Core §8.1, A-089).

Who names a sector gets the subs of everybody in it, so the sector's own host must list the party's
redirect URIs. It is asked each time a party is registered or changed, through the guarded fetcher.
"""

import json
from collections.abc import Callable, Iterable

from idp.errors import OutsideError
from idp.profiles import Fault

KEY = "sector_identifier_uri"


def sector_fault(
    uri: str, redirect_uris: Iterable[str], get: Callable[[str, str], bytes]
) -> Fault | None:
    """What stands against this sector; None when its document lists all of the redirect URIs."""
    try:
        listed = json.loads(get(uri, "application/json"))
    except OutsideError as error:
        return KEY, f"{uri[:200]} ({error.detail})", "an address that answers"
    except (ValueError, RecursionError):
        return KEY, f"{uri[:200]} (not JSON)", "a JSON array of redirect URIs"
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        return KEY, f"{uri[:200]} (no array of texts)", "a JSON array of redirect URIs"
    missing = set(redirect_uris) - set(listed)
    if missing:
        return KEY, f"{min(missing)[:200]} is not listed at {uri[:200]}", "every redirect URI there"
    return None


def nowhere(_uri: str, _accept: str) -> bytes:
    """For a register that fetches nothing."""
    raise OutsideError("fetch", "nothing is fetched here")
