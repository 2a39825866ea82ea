"""`gongmu wallet`: A mobile ID wallet on this computer, to try things out: receive, list, present."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from idp_wallet import picture
from idp_wallet.card import Card
from idp_wallet.chain import Anchors, read_anchors
from idp_wallet.dcql import Choice, choose
from idp_wallet.faults import AnswerRefused, LinkUnreadable, WalletStopped
from idp_wallet.links import OfferLink, PresentationLink, read_link
from idp_wallet.offer import fetch_issuer, fetch_offer
from idp_wallet.present import make_answer, make_refusal, send
from idp_wallet.receive import Consent
from idp_wallet.receive import receive as receive_card
from idp_wallet.request import Request, fetch_request, verify_request
from idp_wallet.return_page import return_code_in
from idp_wallet.say import say, stopped
from idp_wallet.store import Store
from idp_wallet.web import Web

_F = TypeVar("_F", bound=Callable[..., Any])
_Link = TypeVar("_Link", OfferLink, PresentationLink)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _shared(command: _F) -> _F:
    """Options that all three commands have."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON on stdout.")
    store = click.option(
        "--store",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: Path.home() / ".local/share/gongmu-wallet",
        show_default="~/.local/share/gongmu-wallet",
        help="The folder with the cards.",
    )
    return as_json(store(command))


def _outside(anchors_help: str) -> Callable[[_F], _F]:
    """Options of the commands that talk to somebody."""

    def add(command: _F) -> _F:
        ca_file = click.option("--ca-file", type=_FILE, help="PEM: whom to trust for TLS.")
        anchors = click.option("--trust-anchors", type=_FILE, help=anchors_help)
        return ca_file(anchors(command))

    return add


@click.group()
def wallet() -> None:
    """A mobile ID wallet for the command line (reference; keys lie in files)."""


@wallet.command()
@click.argument("link_or_picture")
@click.option("--tx-code", default="", help="The code that came by another way.")
@_outside("PEM: roots of issuers. Without it, TLS alone says who the issuer is.")
@_shared
def receive(
    link_or_picture: str,
    tx_code: str,
    ca_file: Path | None,
    trust_anchors: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> None:
    """Receive a card from an offer: a link, or a picture of its QR code."""
    with _told(as_json=as_json), Web(_ca(ca_file)) as web:
        link = _link(link_or_picture, OfferLink, "present")
        offer = fetch_offer(web, link)
        issuer = fetch_issuer(web, offer)
        consent = Consent(tx_code, _anchors(trust_anchors))
        card = receive_card(web, offer, issuer, consent, datetime.now(UTC))
        Store(folder).save(card)
        say(
            {"card": card.summary()},
            [f"Received from {issuer.name}:", *_face(card)],
            as_json=as_json,
        )


@wallet.command(name="list")
@_shared
def list_cards(folder: Path, *, as_json: bool) -> None:
    """Show the cards in the wallet."""
    with _told(as_json=as_json):
        cards = Store(folder).cards()
        lines = [line for card in cards for line in (*_face(card), "")]
        say({"cards": [c.summary() for c in cards]}, lines or ["No cards yet."], as_json=as_json)


@wallet.command()
@click.argument("link_or_picture")
@click.option("--yes", is_flag=True, help="Show the card without asking.")
@click.option("--open-return", is_flag=True, help="Open the return address as the phone does.")
@_outside("PEM: roots of the verifiers that may ask. Needed.")
@_shared
def present(  # noqa: PLR0913 - click hands each option over by name
    link_or_picture: str,
    ca_file: Path | None,
    trust_anchors: Path | None,
    folder: Path,
    *,
    yes: bool,
    open_return: bool,
    as_json: bool,
) -> None:
    """Show a card to who asks: a link, or a picture of the QR code on a screen."""
    if trust_anchors is None:
        raise click.UsageError(
            "Say with --trust-anchors PEM whose requests to believe: without a root, "
            "nobody who asks can be verified."
        )
    with _told(as_json=as_json), Web(_ca(ca_file)) as web:
        link = _link(link_or_picture, PresentationLink, "receive")
        nonce = secrets.token_urlsafe(16)
        text = fetch_request(web, link, nonce)
        now = datetime.now(UTC)
        request = verify_request(text, link, nonce, _anchors(trust_anchors), now)
        choices = choose(request.query, Store(folder).cards(), now)
        if not (yes or _agreed(request, choices)):
            send(web, request, make_refusal(request))
            raise AnswerRefused("You declined. Nothing was shown.")
        redirect_uri = send(web, request, make_answer(request, choices, now))
        _finish(web, request, redirect_uri, open_return=open_return, as_json=as_json)


def _finish(
    web: Web, request: Request, redirect_uri: str, *, open_return: bool, as_json: bool
) -> None:
    document: dict[str, Any] = {
        "verifier": request.verifier,
        "client_id": request.client_id,
        "redirect_uri": redirect_uri,
    }
    lines = [f"Shown to {request.verifier} ({request.host})."]
    if redirect_uri and not open_return:
        lines += ["Open this on the phone to go on:", redirect_uri]
    if redirect_uri and open_return:
        code = return_code_in(web.open_page(redirect_uri))
        document["return_code"] = code
        lines.append(f"Return code: {code}" if code else "The page shows no return code.")
    say(document, lines, as_json=as_json)


def _agreed(request: Request, choices: Sequence[Choice]) -> bool:
    """Who asks, for what; the answer is no unless the person says yes."""
    click.echo(f"{request.verifier} ({request.host}) asks for:", err=True)
    for choice in choices:
        for name in choice.names or ("that you hold this card",):
            click.echo(f"  - {name}", err=True)
    return click.confirm("Show this?", default=False, err=True)


def _face(card: Card) -> list[str]:
    return [f"  {name.replace('_', ' ')}: {value}" for name, value in card.face().items()]


def _link(given: str, kind: type[_Link], other: str) -> _Link:
    """The link itself, or the one in a picture; the wrong kind is a misuse (exit code 2)."""
    try:
        text = given if "://" in given else picture.read_qr(_picture(given))
        link = read_link(text)
    except LinkUnreadable as error:
        raise click.UsageError(str(error)) from error
    if not isinstance(link, kind):
        raise click.UsageError(f"This link is for `gongmu wallet {other}`.")
    return link


def _picture(given: str) -> bytes:
    try:
        with Path(given).open("rb") as stream:
            return stream.read(picture.MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"Neither a link nor a picture: {given}") from error


def _ca(file: Path | None) -> Path | None:
    _anchors(file)  # a file without a certificate is named before it is used
    return file


def _anchors(file: Path | None) -> Anchors:
    if file is None:
        return ()
    try:
        return read_anchors(file)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{file} holds no PEM certificates.") from error


@contextmanager
def _told(*, as_json: bool) -> Iterator[None]:
    """A refusal in plain words and exit code 1."""
    try:
        yield
    except WalletStopped as error:
        stopped(error, as_json=as_json)
