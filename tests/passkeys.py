"""A person with a passkey, over plain HTTP: enrols after a sign-in, signs in with a touch.

The authenticator really signs (`fakes/security_key.py`); the pages are read as a browser's script reads
them: options from the page, the answer into the form.
"""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.attacks.holder import Held, fetched
from tests.desk import Desk, Lost, Phone
from tests.fakes.security_key import SecurityKey, form
from tests.provider import Provider

PASSKEYS = "/account/passkeys"


def options(page: str) -> dict[str, Any]:
    """What the page asks the authenticator."""
    found = re.search(r'data-options="([^"]+)"', page)
    if found is None:
        raise Lost(f"no options in\n{page[:3000]}")
    given: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return given


def reason_on(page: str) -> str:
    """The help desk's code on a page, "" when there is none."""
    found = re.search(r'class="(?:facts )?reference">.*?([A-Z]-\d{3})\b', page, re.DOTALL)
    return found.group(1) if found else ""


@dataclass
class Seat(Desk):
    """A browser at a desk whose person may have a passkey."""

    key: SecurityKey = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.key = SecurityKey(self.provider.issuer)

    # --- signing in -----------------------------------------------------------------------------

    def begin(self, **changed: str) -> "Seat":
        """Ask to sign in, up to the page with a passkey's challenge."""
        where = self.get(self.authorization_url(**changed))
        found = re.fullmatch(r"/login/([\w-]+)", urlsplit(where).path)
        if found is None:
            raise Lost(f"{self.answer.status_code} {where}\n{self.page[:3000]}")
        self.login = f"/login/{found.group(1)}"
        if "data-options=" not in self.page:
            self.post(f"{self.login}/fido2")
        return self

    def touch(self, **spoilt: Any) -> str:
        """Answer the challenge on the page; where that ends."""
        return self.send(self.key.get(options(self.page), **spoilt))

    def send(self, credential: dict[str, Any]) -> str:
        """Post an answer as the page's script does."""
        return self.post(f"{self.login}/answer", **form(credential))

    # --- the account ----------------------------------------------------------------------------

    def to_account(self, held: Held, next_page: str = "new", phone: Phone | None = None) -> str:
        """Sign in to one's own account with the mobile ID: on this device, or on that phone."""
        self.get(PASSKEYS)
        if "/account/sign-in" not in self.page:
            self.get("/account")  # signed in already: the form's token is the same
        where = self.post("/account/sign-in", next=next_page)
        self.login = urlsplit(where).path
        if not self.has_qr:
            self.post(f"{self.login}/mobile_id")
        redirect_uri = fetched(held, self.wallet_link).post().json()["redirect_uri"]
        if phone is None:
            return self.get(redirect_uri)
        return self.type_return_code(phone.return_code(redirect_uri))

    def enrol(self, name: str = "열쇠", **spoilt: Any) -> str:
        """Make a passkey with the options on the page and post it; where that ends."""
        made = self.key.create(options(self.page), **spoilt)
        attempt = self.find(r'name="attempt" value="([^"]+)"')
        return self.post(PASSKEYS, attempt=attempt, name=name, **form(made))

    def ids(self) -> list[str]:
        """Our ids of the passkeys on the page."""
        self.get(PASSKEYS)
        return re.findall(r'href="/account/passkeys/([\w-]+)/remove"', self.page)

    def sign_out(self) -> None:
        """Forget the session, as after closing the browser; the browser's own cookie stays."""
        for cookie in list(self.client.cookies.jar):
            if cookie.name.endswith("gongmu-session"):
                self.client.cookies.delete(cookie.name, cookie.domain, cookie.path)


@contextmanager
def passing_seat(provider: Provider, held: Held) -> Iterator[Seat]:
    """At the page that makes a passkey; the person has none afterwards."""
    with Seat(provider) as seat:
        seat.to_account(held)
        yield seat
        for passkey_id in seat.ids():
            seat.get(f"{PASSKEYS}/{passkey_id}/remove")
            seat.post(f"{PASSKEYS}/{passkey_id}/remove")
