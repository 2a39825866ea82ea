"""The documents say what there is: a module, a command or a page without a word fails here."""

import re
from pathlib import Path

import pytest

import idp.web
from idp import paths

ROOT = paths.TEMPLATES.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def modules(folder: Path) -> set[str]:
    files = {path.name for path in folder.glob("*.py") if path.name != "__init__.py"}
    folders = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    return files | folders - {"translations/"}


def test_every_module_of_the_provider_has_its_sentence() -> None:
    told = {name.split("/")[0] + "/" if "/" in name else name for name in words()}
    missing = {name for name in modules(ROOT / "idp") if name not in told}
    assert missing == set()


def words() -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", ARCHITECTURE, re.MULTILINE))


@pytest.mark.parametrize("root", ["plugins", "adapters"])
def test_every_part_has_its_sentence(root: str) -> None:
    folders = {path.parent.name for path in (ROOT / root).glob("*/__init__.py")}
    assert folders <= words()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        assert set(re.findall(r"\bmake ([a-z]+)\b`", page.read_text())) <= targets, page.name


def test_the_order_to_read_a_login_in_names_what_there_is() -> None:
    told = re.findall(r"`([\w./]+)`", idp.web.__doc__ or "")
    files = [name for name in told if name.endswith(".py")]
    calls = [name.split(".") for name in told if re.fullmatch(r"[a-z_]+\.[a-z_]+", name)]
    functions = [parts for parts in calls if parts[1] not in {"py", "js"}]
    assert len(files) > 10
    assert len(functions) > 10
    roots = [ROOT, ROOT / "idp", ROOT / "idp/web"]
    plugins = [ROOT / "plugins/idp_mobile_id", ROOT / "adapters/idp_ldap"]
    for name in files:
        assert any((root / name).is_file() for root in (*roots, *plugins)), name
    for module, function in functions:
        texts = [root / f"{module}.py" for root in roots if (root / f"{module}.py").is_file()]
        assert any(f"def {function}(" in text.read_text() for text in texts), f"{module}.{function}"
