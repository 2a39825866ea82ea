"""Where templates, translations and the default configuration lie: a checkout or a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = PACKAGE.parent


def _either(inside: Path, beside: Path) -> Path:
    return inside if inside.exists() else beside


TEMPLATES = _either(PACKAGE / "templates", _CHECKOUT / "templates")
CONF = _either(PACKAGE / "conf", _CHECKOUT / "conf")
ASSETS = TEMPLATES / "assets"
TRANSLATIONS = PACKAGE / "translations"
MIGRATIONS = PACKAGE / "store" / "migrations"
