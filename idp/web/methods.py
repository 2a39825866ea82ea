"""Ways to sign in: which one a page offers first, and the page that lets a person choose.

What a browser used last is kept in a cookie that says the method's name and nothing else. It, the
kind of device and the order of a page are conveniences: nothing is decided by them.
"""

import re

from flask import Response, g, request

from idp import assurance, browser
from idp.contracts import BrowserMethod, WalletMethod
from idp.login import Ticket
from idp.services import services

_PHONES = re.compile(r"Android.*Mobile|iPhone|iPod|Windows Phone")


def offered(ticket: Ticket) -> list[str]:
    """The methods that can reach what this login requires, in the order of the configuration."""
    rules = services().settings.acr_rules
    return [
        name
        for name in services().methods
        if any(
            rule.method == name and assurance.reaches(rule.acr, ticket.required_acr)
            for rule in rules
        )
    ]


def on_device_only(ticket: Ticket) -> bool:
    """Whether a QR cannot be enough: the mobile ID must be on the device that signs in."""
    return assurance.reaches(ticket.required_acr, "phr") and bool(ticket.required_acr)


def usual(ticket: Ticket, offered: list[str]) -> str:
    """The method to begin with unasked, "" when the person is to choose.

    What was used last; else the QR, on whose page a passkey may answer too. A QR that cannot be
    enough is never begun so: the passkey is.
    """
    wallets = [name for name in offered if isinstance(services().methods[name], WalletMethod)]
    others = [name for name in offered if name not in wallets]
    if others and on_device_only(ticket) and not on_phone():
        return others[0]
    return remembered(offered) or (wallets[0] if len(wallets) == 1 else "")


def remembered(offered: list[str]) -> str:
    """The method this browser used last, when it is offered; else the only one; else ""."""
    if len(offered) == 1:
        return offered[0]
    kept = browser.cookie("method")
    return kept if kept in offered else ""


def remember(response: Response, method: str) -> Response:
    """Let this browser go straight to that method the next time."""
    return browser.remember(response, "method", method)


def on_phone() -> bool:
    """Whether the browser says it is a phone: then the wallet is most likely on this device."""
    if "on_phone" not in g:
        hint = request.headers.get("Sec-CH-UA-Mobile", "")
        agent = request.headers.get("User-Agent", "")[:400]
        g.on_phone = hint == "?1" or _PHONES.search(agent) is not None
    return bool(g.on_phone)


def browser_method() -> BrowserMethod | None:
    """The method whose credentials people register with us, where one is switched on."""
    for method in services().methods.values():
        if isinstance(method, BrowserMethod):
            return method
    return None
