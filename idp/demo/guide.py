"""What the demo says when it is ready: one line for programs, or what to click first for people."""

import contextlib
import http.client
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from idp.demo.folder import Place
from idp.demo.seed import Seeded

_POLL_S = 0.02


class Watch:
    """Asks provider and relying parties until both answer.

    Made before the provider's worker is forked, used beside it: what a thread holds a lock for
    (imports, OpenSSL's set-up) is done at making.
    """

    def __init__(self, place: Place) -> None:
        self._addresses = [f"{place.issuer}/readyz", f"{place.parties_url}/healthz"]
        self._trust = (
            ssl.create_default_context(cafile=str(place.tls.ca_file)) if place.tls else None
        )

    def wait(self) -> None:
        """Returns when all is ready."""
        for address in self._addresses:
            while not self._answers(address):
                time.sleep(_POLL_S)

    def _answers(self, address: str) -> bool:
        parts = urlsplit(address)
        connection = (
            http.client.HTTPSConnection(parts.netloc, timeout=2, context=self._trust)
            if self._trust
            else http.client.HTTPConnection(parts.netloc, timeout=2)
        )
        errors = (OSError, http.client.HTTPException)
        with contextlib.suppress(*errors), contextlib.closing(connection):
            connection.request("GET", parts.path)
            return connection.getresponse().status == 200
        return False


def as_json(place: Place, seeded: Seeded) -> str:
    """The one line of `--json` (design section 9)."""
    return json.dumps(
        {
            "issuer": place.issuer,
            "ready_ms": milliseconds_since_start(),
            "relying_parties": seeded.relying_parties,
            "automation": seeded.automation,
            "people": seeded.people,
            "wallet_url": f"{place.issuer}/wallet",
            "ca_file": str(place.tls.ca_file) if place.tls else None,
            "trust_anchors": seeded.trust_anchors,
        },
        ensure_ascii=False,
    )


def as_text(place: Place, seeded: Seeded, *, kept: bool) -> str:
    """What to do first, in plain words."""
    number = _first(seeded.people)
    lines = [
        "",
        f"  Gongmu is ready ({milliseconds_since_start() / 1000:.1f} s): {place.issuer}",
        "",
        *_phone(place, seeded, number),
        f"  2. Play the desk: in a normal window open {place.parties_url}/mail",
        "     and press the button. A QR appears. Copy the address of the button beside it that opens",
        f"     the mobile ID app, paste it into the private window's {place.issuer}/wallet",
        "     within ten seconds (the QR changes all the time), and approve.",
        "  3. The phone shows six digits: type them at the desk, agree, and you are in the mailbox.",
        "",
        "  The command knows this demo after:",
        f'     export PATH="{Path(sys.argv[0]).resolve().parent}:$PATH" GONGMU_CONFIG={place.conf_file}',
        "     A mobile ID for somebody else: gongmu mobile-id offer E1000002",
        "  Also there:",
        *(
            f"     {party['url']}"
            for name, party in seeded.relying_parties.items()
            if party["url"] and name != "mail"
        ),
        *_secrets(seeded),
        "  Refused on purpose:",
        *(
            f"     {person['name']} {person['personnel_number']} ({person['state']})"
            for person in seeded.people
            if person["state"] != "active"
        ),
        *_tls(place),
        f"  Configuration and data: {place.folder}" + ("" if kept else " (gone when you stop)"),
        "  Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)


def _phone(place: Place, seeded: Seeded, person: dict[str, Any]) -> list[str]:
    """Where the phone receives its mobile ID; how to offer one by hand when the offer failed."""
    from idp.demo.offer import first_offer

    play = "  1. Play the phone: open a PRIVATE window (a second tab would be the same browser)"
    try:
        link, code = first_offer(place, seeded.automation, person["personnel_number"])
    except (httpx.HTTPError, OSError):
        return [play, f"     and go to {place.issuer}/wallet"]
    return [
        play,
        f"     and receive the mobile ID of {person['name']} there (valid for ten minutes):",
        f"     {link}",
        f"     Code: {code}",
    ]


def _secrets(seeded: Seeded) -> list[str]:
    lab, automation = seeded.relying_parties["lab"], seeded.automation
    return [
        "  A client of your own (redirect URI http://localhost:9999/callback):",
        f"     client_id lab, client_secret {lab['client_secret']}",
        "  The API under /api/v1 (client credentials):",
        f"     client_id {automation['client_id']}, client_secret {automation['client_secret']}",
    ]


def _tls(place: Place) -> list[str]:
    if place.tls is None:
        return []
    return [
        "  This demo has its own certificate authority. A browser or phone must trust it first:",
        f"     {place.tls.ca_file}",
        "     Android: Settings, Security, Install a certificate, CA certificate.",
        "     iPhone: send the file, install the profile, then Settings, General, About,",
        "     Certificate Trust Settings. Firefox and Chrome: import it as an authority.",
        "     Take it out again when you are done.",
    ]


def _first(people: list[dict[str, Any]]) -> dict[str, Any]:
    """Somebody active without a role."""
    nobody = {"name": "somebody", "personnel_number": "NUMBER"}
    plain = (person for person in people if person["state"] == "active" and not person["roles"])
    return next(plain, nobody)


def milliseconds_since_start() -> int:
    """Since this process was started, the interpreter's own start included (Linux)."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return int(time.process_time() * 1000)
    import os

    return int((uptime_s - ticks / os.sysconf("SC_CLK_TCK")) * 1000)
