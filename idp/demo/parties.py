"""Three small real relying parties: a mailbox, a Smart Work Center, an intranet notice board.

They know the issuer's address, a client id and a secret, and learn the rest by discovery, as any
program of an agency would: code flow with PKCE (RFC 7636), state, nonce, `iss` (RFC 9207), a
verified ID token, userinfo, logout at the provider (RP-Initiated Logout) and by it (Back-Channel
Logout). Run as `python -m idp.demo.parties`; what to serve comes as one JSON line on stdin.
"""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from idp.demo.client import Client, SignInFailed
from idp.demo.shelf import Shelf
from idp.demo.signed_in import SignedIn

LOGIN_S = 600
NAMES = {
    "mail": ("공직 메일", "Government mail"),
    "smart-work": ("스마트워크센터", "Smart Work Center"),
    "intranet": ("업무 게시판", "Intranet"),
}

REASONS = {  # of a sign-in that did not succeed, by the code of the protocol
    "access_denied": (
        "로그인을 취소했거나 이 서비스를 이용할 수 없습니다.",
        "You cancelled, or you may not use this service.",
    ),
    "temporarily_unavailable": (
        "로그인 서비스가 잠시 응답하지 않습니다. 조금 뒤에 다시 해 주십시오.",
        "The sign-in service does not answer for the moment. Try again a little later.",
    ),
    "state": (
        "이 브라우저에서 시작한 로그인이 아니거나 시간이 지났습니다.",
        "This sign-in was not begun in this browser, or its time has passed.",
    ),
    "": ("다시 로그인해 주십시오.", "Please sign in again."),
}
REASONS["server_error"] = REASONS["provider_unavailable"] = REASONS["temporarily_unavailable"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the demo hands over."""

    issuer: str
    url: str  # of this program, without a slash at the end
    ca_file: str | None
    clients: dict[str, str]  # client_id -> secret


def create_app(setting: Setting) -> Flask:
    """All parties in one program; each has a path and a cookie of its own."""
    app = Flask("idp.demo.parties", template_folder=str(Path(__file__).parent / "templates"))
    app.jinja_env.globals.update(ko=_is_korean, parties=NAMES)
    for name, secret in setting.clients.items():
        client = Client(
            setting.issuer, name, secret, f"{setting.url}/{name}/callback", setting.ca_file
        )
        app.register_blueprint(_blueprint(name, client, setting), url_prefix=f"/{name}")
    app.add_url_rule("/", view_func=_index, endpoint="index")
    app.add_url_rule("/healthz", view_func=lambda: "ok", endpoint="healthz")
    app.after_request(partial(_headers, setting.issuer))
    return app


def _index() -> str:
    return render_template("index.html", names=("시연용 서비스", "Demonstration services"))


def _blueprint(name: str, client: Client, setting: Setting) -> Blueprint:
    """One relying party."""
    blueprint = Blueprint(name, __name__)
    sessions, logins = SignedIn(), Shelf(LOGIN_S)
    cookie = f"gongmu-demo-{name}"
    ended = partial(_ended, client, sessions)
    blueprint.add_url_rule("/backchannel-logout", "ended", ended, methods=["POST"])

    @blueprint.get("")
    def home() -> str:
        session = sessions.get(request.cookies.get(cookie, ""))
        page = f"{name}.html" if session else "welcome.html"
        return render_template(page, party=name, session=session, names=NAMES[name])

    @blueprint.get("/login")
    def login() -> AnyResponse:
        address, pending = client.start(_language())
        return _keep(redirect(address, 303), f"{cookie}-login", logins.put(pending))

    @blueprint.get("/callback")
    def callback() -> AnyResponse:
        pending = logins.take(request.cookies.get(f"{cookie}-login", ""))
        session = client.finish(pending, request.args, request.url)
        sessions.leave(request.cookies.get(cookie, ""))
        answer = redirect(url_for(f"{name}.home"), 303)
        return _keep(answer, cookie, sessions.begin(session))

    @blueprint.post("/logout")
    def logout() -> AnyResponse:
        session = sessions.leave(request.cookies.get(cookie, ""))
        back = f"{setting.url}/{name}/signed-out"
        address = client.logout_address(session, back) if session else back
        return _keep(redirect(address, 303), cookie, "")

    @blueprint.get("/signed-out")
    def signed_out() -> str:
        return render_template("signed-out.html", party=name, names=NAMES[name])

    @blueprint.errorhandler(SignInFailed)
    def failed(error: SignInFailed) -> tuple[str, int]:
        reason = REASONS.get(error.code, REASONS[""])
        page = render_template(
            "failed.html", party=name, names=NAMES[name], error=error, reason=reason
        )
        return page, error.status

    def _keep(answer: AnyResponse, key: str, value: str) -> AnyResponse:
        answer.set_cookie(
            key,
            value,
            max_age=None if value else 0,
            path=f"/{name}",
            secure=setting.url.startswith("https://"),
            httponly=True,
            samesite="Lax",
        )
        return answer

    return blueprint


def _ended(client: Client, sessions: SignedIn) -> tuple[str, int]:
    """The provider itself says that a session has ended (Back-Channel Logout §2.5)."""
    sessions.end(client.ended(request.form.get("logout_token", "")))
    return "", 200


def _headers(issuer: str, response: Response) -> Response:
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self' {issuer}"  # logout is a POST that ends there
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_korean() -> bool:
    return _language() == "ko"


def _language() -> str:
    return request.accept_languages.best_match(["ko", "en"], default="ko")


def main() -> None:
    """Serve what the line on stdin says, until SIGTERM."""
    from idp import embedded, logs, serve
    from idp.conf import Server

    logs.configure("warning")
    line: dict[str, Any] = json.loads(sys.stdin.readline() or "{}")
    if not line:
        raise SystemExit(1)  # the demo ended before it could say
    setting = Setting(**line["setting"])
    server = Server.model_validate(line["server"])
    embedded.die_with_parent()
    serve.run(server, "warning", partial(create_app, setting))


if __name__ == "__main__":
    main()
