"""Which language a page speaks: Korean or English, by what the person said, then by what the browser says.

First the choice made with the switch in the header (a cookie that holds the language and nothing
else), then `ui_locales` of the login at hand (OIDC Core §3.1.2.1), then Accept-Language, then Korean.
Only `settings.languages` are ever compared with, so a million made-up tags cost nothing (A-036).
"""

from collections.abc import Iterable

from babel.support import NullTranslations, Translations
from flask import Blueprint, Flask, Response, g, request
from flask_babel import Babel, get_translations

from idp import browser
from idp.paths import TRANSLATIONS
from idp.services import services

COOKIE = "gongmu-lang"  # as it is called under a loopback http issuer
NATIVE_NAMES = {"ko": "한국어", "en": "English"}
_LONGEST_PATH = 4096

blueprint = Blueprint("locale", __name__)


def init_app(app: Flask) -> None:
    """Translations, times in Korean time, and the language switch."""
    babel = Babel()
    babel.init_app(
        app,
        default_locale="ko",
        default_timezone="Asia/Seoul",
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=choose_language,
    )
    # Flask-Babel looks the catalogue up for each text; a page has forty.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of its i18n extension
        lambda text: _catalogue().ugettext(text),
        lambda one, many, count: _catalogue().ungettext(one, many, count),
        newstyle=True,
        pgettext=lambda context, text: _catalogue().upgettext(context, text),
    )
    app.register_blueprint(blueprint)


def _catalogue() -> Translations | NullTranslations:
    """The translations of this answer."""
    if "catalogue" not in g:
        g.catalogue = get_translations()
    found: Translations | NullTranslations = g.catalogue
    return found


def choose_language() -> str:
    """The language of this answer: always one of `settings.languages`."""
    offered = services().settings.languages
    default = "ko" if "ko" in offered else offered[0]
    chosen = browser.cookie("lang")
    if chosen in offered:
        return chosen
    wanted = _first_offered(getattr(g, "ui_locales", ()), offered)
    return wanted or request.accept_languages.best_match(offered, default) or default


def _first_offered(tags: Iterable[str], offered: tuple[str, ...]) -> str | None:
    """The first of some language tags (untrusted) that we speak: "en-GB" finds "en" (RFC 4647 §3.4)."""
    for tag in tags:
        primary = tag.split("-", 1)[0].lower()
        if primary in offered:
            return primary
    return None


@blueprint.post("/language")
def change_language() -> Response:
    """Keeps a language in a cookie and goes back to the page.

    Needs no CSRF token: all that a forged form could do is to change the words on the page.
    """
    response = browser.see_other(same_site_path(request.form.get("next", "/")))
    language = request.form.get("lang", "")
    if language in services().settings.languages:
        browser.remember(response, "lang", language)
    return response


def same_site_path(value: str) -> str:
    """`value` when it can only be a page of this site, else "/": no open redirect (RFC 9700 §4.11)."""
    authority = value.startswith("//") or "\\" in value  # browsers read a backslash as a slash
    stripped = any(ord(sign) < 0x21 or ord(sign) == 0x7F for sign in value)  # and drop these
    if not value.startswith("/") or authority or stripped or len(value) > _LONGEST_PATH:
        return "/"
    return value


def this_page() -> str:
    """Where the language switch leads back to: this page, "/" after a post."""
    if request.method not in ("GET", "HEAD"):
        return "/"
    query = request.query_string.decode("ascii", "replace")
    return same_site_path(f"{request.path}?{query}" if query else request.path)
