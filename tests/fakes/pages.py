"""Every page with sample values, in a small application that is real but for the routes."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import segno
from flask import Flask, Response, g, jsonify, render_template
from markupsafe import Markup

from idp import browser
from idp.conf import Agency, Settings
from idp.contracts import MobileIdState
from idp.events import Kind, Reason
from idp.paths import TEMPLATES
from idp.web import guard, pages, qr_page
from idp.web.setback import Setback

WHEN = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LINK = (
    "openid4vp://?client_id=x509_hash%3AaGVsbG8gd29ybGQgdGhpcyBpcyBhIHNoYTI1NiBoYQ"
    "&request_uri=https%3A%2F%2Fid.example.go.kr%2Fvp%2FAAAAAAAAAAAAAAAAAAAAAA%2Frequest"
    "%3Fframe%3D~~~AAAAAAAAAAAAAAAA&request_uri_method=post"
)


def qr_link(second: int) -> str:
    """What the frame of a second says."""
    return LINK.replace("~~~", f"{second:03d}")


def qr_bits(second: int) -> tuple[int, int]:
    """The frame of a second as an integer and its size, drawn by segno alone."""
    code = segno.make(
        qr_link(second), error="m", mode="byte", mask=2, micro=False, boost_error=False
    )
    text = "".join("1" if module else "0" for row in code.matrix for module in row)
    return int(text, 2), code.symbol_size(border=0)[0]


def qr_svg(second: int) -> Markup:
    """The server's own drawing."""
    return qr_page.drawing(*qr_bits(second))


WALLETS = [
    {"name": "openid4vp", "href": qr_link(0)},
    {"name": "Web wallet", "href": "/wallet/present?" + qr_link(0).split("?", 1)[1]},
]
LOGIN = {"login_id": "Rk9PQkFSRk9PQkFSRk9P", "relying_party": "공직자 메일"}
QR = {
    **LOGIN,
    "qr_svg": qr_svg(0),
    "qr_size": 61,
    "wallets": WALLETS,
    "wallet_link": WALLETS[0]["href"],
    "status_url": "/login/x/status",
    "step": "waiting",
    "expires_in_s": 118,
    "no_js_refresh_s": 0,
    "setback": None,
    "on_phone": False,
    "may_choose": False,
}
PHONE = {
    "relying_party": "공직자 메일",
    "desk_device": "Chrome, Windows",
    "desk_place": "정부세종청사 3층",
    "desk_time": WHEN,
    "person_name": "김하늘",
    "return_code": "482915",
    "progress_url": "/vp/h/progress",
    "not_me_url": "/vp/h/not-me",
    "csrf_value": "c" * 64,
}
DEVICE = {
    **{name: PHONE[name] for name in PHONE if name.startswith(("relying", "desk", "person"))},
    "request_id": "d" * 64,
    "user_code": "WDJB-MJHT",
    "elsewhere": True,
    "scopes": ["openid", "profile"],
    "claims": ["name", "agency"],
}
SESSIONS = [
    {
        "id": "s1",
        "when": WHEN,
        "device": "Chrome, Windows",
        "place": "정부세종청사 3층",
        "acr": "urn:gongmu:acr:2",
        "current": True,
    },
    {"id": "s2", "when": WHEN, "device": "", "place": "", "acr": "phr", "current": False},
]
MOBILE_IDS = [
    {"state": MobileIdState.LIVE, "created_at": WHEN, "expires_at": WHEN.replace(year=2029)},
    {"state": MobileIdState.REVOKED, "created_at": WHEN, "expires_at": WHEN},
]
_HAPPENED = {
    "when": WHEN,
    "reason": "none",
    "relying_party": "공직자 메일",
    "device": "Chrome, Windows",
    "place": "정부세종청사 3층",
    "acr": "phr",
    "can_disown": False,
}
STORY = [
    {**_HAPPENED, "kind": Kind.SESSION_STARTED, "session": "s1"},
    {**_HAPPENED, "kind": Kind.SESSION_STARTED, "session": "s2", "can_disown": True},
    {
        **_HAPPENED,
        "kind": Kind.SESSION_ENDED,
        "session": "s3",
        "reason": "by_person",
        "relying_party": "",
        "device": "",
        "place": "",
        "acr": "",
    },
    {**_HAPPENED, "kind": Kind.LOGIN_REFUSED, "session": "", "reason": "person_suspended"},
    {**_HAPPENED, "kind": Kind.LOGIN_NOT_ME, "session": "s4", "reason": "disowned"},
]
CONSENTS = [
    {
        "client_id": "mail",
        "relying_party": "공직자 메일",
        "scopes": ["openid", "email"],
        "claims": ["agency"],
        "when": WHEN,
    }
]
OPTIONS = {
    "challenge": "Y2hhbGxlbmdl",
    "rpId": "localhost",
    "userVerification": "required",
    "timeout": 120000,
}
PASSKEY = {
    **LOGIN,
    "options": OPTIONS,
    "expires_in_s": 100,
    "refused": "",
    "rp_id": "localhost",
    "may_use_mobile_id": True,
}
_PASSKEY = {
    "id": "p1",
    "name": "업무용 노트북",
    "model": "YubiKey 5 Series with NFC",
    "synced": False,
    "state": "live",
    "created_at": WHEN,
    "used_at": WHEN,
    "on_phone": False,
}
PASSKEYS = [
    _PASSKEY,
    {
        **_PASSKEY,
        "id": "p2",
        "name": "<img src=x onerror=alert(1)>",
        "model": "",
        "synced": True,
        "state": "suspended",
        "used_at": None,
        "on_phone": True,
    },
    {**_PASSKEY, "id": "p3", "state": "removed"},
]
NEW_PASSKEY = {
    "options": {"user": {"id": "dQ", "name": "김하늘", "displayName": "김하늘"}, **OPTIONS},
    "attempt": "a" * 22,
    "expires_in_s": 120,
    "usual_name": "Chrome, Windows",
    "refused": "",
}
SAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "home": ("home.html", {"wallet_enabled": True}),
    "login": (
        "login.html",
        {
            **LOGIN,
            "methods": ["mobile_id", "fido2", "made_up"],
            "remembered": "fido2",
            "on_device_only": False,
        },
    ),
    "login-phr": (
        "login.html",
        {**LOGIN, "methods": ["mobile_id", "fido2"], "remembered": "", "on_device_only": True},
    ),
    "passkey": ("methods/fido2.html", PASSKEY),
    "passkey-refused": ("methods/fido2.html", {**PASSKEY, "refused": "passkey_unknown"}),
    "passkey-over": ("methods/fido2.html", {**PASSKEY, "options": None, "expires_in_s": 0}),
    "passkey-news": (
        "passkey_news.html",
        {**LOGIN, "passkeys": PASSKEYS, "next_url": "/oauth/authorize?login=x"},
    ),
    "passkeys": (
        "passkeys.html",
        {"passkeys": PASSKEYS, "full": False, "rp_id": "localhost", "user_id": "u", "accepted": []},
    ),
    "passkeys-none": (
        "passkeys.html",
        {"passkeys": [], "full": False, "rp_id": "localhost", "user_id": "u", "accepted": []},
    ),
    "passkeys-full": (
        "passkeys.html",
        {
            "passkeys": PASSKEYS[:1],
            "full": True,
            "rp_id": "localhost",
            "user_id": "u",
            "accepted": ["a", "b"],
        },
    ),
    "passkey-new": ("passkey_new.html", NEW_PASSKEY),
    "passkey-new-refused": ("passkey_new.html", {**NEW_PASSKEY, "refused": "passkey_taken"}),
    "passkey-remove": ("passkey_remove.html", {"passkey": PASSKEYS[0], "last": False}),
    "passkey-remove-last": ("passkey_remove.html", {"passkey": PASSKEYS[0], "last": True}),
    "passkey-fresh": ("passkey_fresh.html", {"next_page": "new"}),
    "qr": ("methods/mobile_id.html", QR),
    "qr-passkey": ("methods/mobile_id.html", {**QR, "options": OPTIONS, "may_choose": True}),
    "qr-phone-passkey": (
        "methods/mobile_id.html",
        {**QR, "options": OPTIONS, "on_phone": True, "may_choose": True},
    ),
    "qr-no-js": ("methods/mobile_id.html", {**QR, "no_js_refresh_s": 5}),
    "qr-expired": ("methods/mobile_id.html", {**QR, "step": "expired", "expires_in_s": 0}),
    "qr-phone": ("methods/mobile_id.html", {**QR, "on_phone": True, "may_choose": True}),
    "qr-phone-expired": (
        "methods/mobile_id.html",
        {**QR, "on_phone": True, "step": "expired", "expires_in_s": 0},
    ),
    "qr-refused": (
        "methods/mobile_id.html",
        {**QR, "step": "scanned", "setback": Setback(Reason.STATUS_REVOKED, "status_revoked-1")},
    ),
    "qr-second-phone": (
        "methods/mobile_id.html",
        {
            **QR,
            "step": "scanned",
            "setback": Setback(Reason.FRAME_NOT_PINNED, "frame_not_pinned-0"),
        },
    ),
    "login-over": ("login_over.html", {**LOGIN, "reason": "declined"}),
    "login-over-for-good": ("login_over.html", {**LOGIN, "reason": "person_retired"}),
    "camera": (
        "camera.html",
        {"purpose": "present", "wallets": [{"name": "모바일 신분증 앱", "href": LINK}]},
    ),
    "camera-offer": ("camera.html", {"purpose": "receive", "wallets": []}),
    "code": ("methods/mobile_id_code.html", {**LOGIN, "tries_left": 3, "error": False}),
    "code-error": ("methods/mobile_id_code.html", {**LOGIN, "tries_left": 1, "error": True}),
    "return-code": ("return_code.html", PHONE),
    "return-approved": ("return_code.html", {**PHONE, "return_code": ""}),
    "return-late": ("return_done.html", {"state": "late", "reason": "disowned"}),
    "return-done": ("return_done.html", {**PHONE, "state": "done", "csrf_value": "c"}),
    "return-disowned": ("return_done.html", {"state": "disowned", "reason": "disowned"}),
    "return-failed": ("return_done.html", {"state": "failed", "reason": "login_expired"}),
    "consent": (
        "consent.html",
        {
            **LOGIN,
            "scopes": ["openid", "profile", "email", "x-own"],
            "claims": ["sub", "name", "email", "agency", "x_own"],
        },
    ),
    "device": ("device.html", {"error": False}),
    "device-error": ("device.html", {"error": True}),
    "device-confirm": ("device_confirm.html", DEVICE),
    "device-confirm-near": ("device_confirm.html", {**DEVICE, "elsewhere": False, "claims": []}),
    "device-allowed": ("device_done.html", {"step": "allowed"}),
    "device-refused": ("device_done.html", {"step": "refused"}),
    "problem": (
        "problem.html",
        {"reason": "person_retired", "reference": "aB3-_x9Q", "next_url": "/", "status": 403},
    ),
    "problem-again": (
        "problem.html",
        {
            "reason": "login_expired",
            "reference": "aB3-_x9Q",
            "next_url": "/login/x/again",
            "status": 400,
        },
    ),
    "problem-missing": (
        "problem.html",
        {"reason": "bad_request", "reference": "aB3-_x9Q", "next_url": "/", "status": 404},
    ),
    "signed-out": (
        "signed_out.html",
        {
            "relying_party": "공직자 메일",
            "return_url": "https://mail.example.go.kr/",
            "frames": [],
        },
    ),
    "signed-out-plain": (
        "signed_out.html",
        {"relying_party": "", "return_url": "", "frames": ["https://mail.example.go.kr/out?sid=s"]},
    ),
    "logout": ("logout_confirm.html", {"fields": {"state": '"><script>alert(1)</script>'}}),
    "form-post": (
        "form_post.html",
        {"action": "/posted", "fields": {"code": "abc", "state": '"><script>x</script>'}},
    ),
    "account": (
        "account.html",
        {
            "sessions": SESSIONS,
            "mobile_ids": MOBILE_IDS,
            "passkeys": PASSKEYS,
            "may_have_passkeys": True,
            "story": STORY,
            "consents": CONSENTS,
        },
    ),
    "account-none": (
        "account.html",
        {"sessions": [], "mobile_ids": [], "story": [], "consents": []},
    ),
    "account-closed": ("account_closed.html", {"next_page": "account"}),
}


def settings(**changes: Any) -> Settings:
    """Settings of a made-up agency."""
    values: dict[str, Any] = {
        "issuer": "http://localhost:8000",
        "environment": "demo",
        "agency": Agency(
            name_ko="행정안전부 로그인", name_en="MOIS sign-in", help_desk="044-205-1234"
        ),
    }
    return Settings(**{**values, **changes})


def create_pages_app(
    made: Settings | None = None,
    status: Callable[[], dict[str, Any] | Response] | None = None,
    ui_locales: tuple[str, ...] = (),
) -> Flask:
    """An application that renders each sample at /page/<name>, with the headers of the real one."""
    app = Flask("idp", template_folder=str(TEMPLATES), static_folder=None)
    keys = SimpleNamespace(secret=lambda name: name.encode().ljust(32, b"."))
    app.extensions["gongmu"] = SimpleNamespace(settings=made or settings(), sites={}, keys=keys)
    pages.init_app(app)
    guard.init_app(app)
    app.after_request(browser.keep_cookies)

    @app.before_request
    def login_at_hand() -> None:
        if ui_locales:
            g.ui_locales = ui_locales

    @app.get("/page/<name>")
    def page(name: str) -> str:
        template, values = SAMPLES[name]
        browser.allow_frames(values.get("frames", ()))
        return render_template(template, **values)

    @app.get("/reason/<reason>")
    def reason(reason: Reason) -> str:
        return render_template(
            "problem.html", reason=reason, reference="r", next_url="/", status=400
        )

    @app.get("/login/x/status")
    def poll() -> Response:
        answer = status() if status else {"step": "waiting", "reason": None, "next": None}
        return answer if isinstance(answer, Response) else jsonify(answer)

    @app.route("/posted", methods=["POST"])
    def posted() -> str:
        return "posted"

    return app
