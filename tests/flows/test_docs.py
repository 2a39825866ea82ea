"""What the documents tell people to type works: commands against a running demo, targets in the Makefile."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp import claims
from tests.provider import GONGMU, ROOT, Provider, start_demo

pytestmark = pytest.mark.services
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LONG = {"demo", "serve", "tail"}  # these run until they are stopped


def blocks(document: Path, language: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[list[str]]:
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words[:1] == ["gongmu"] and not LONG & set(words)]


WITH_COMMANDS = [document for document in DOCUMENTS if commands(document)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a demo that runs."""
    data = tmp_path_factory.mktemp("documented")
    provider: Provider = start_demo("--data", str(data))
    try:
        yield data
    finally:
        provider.child.stop()


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GONGMU, "--config", str(folder / "gongmu.toml"), *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=folder,
    )


def test_there_are_commands_to_run() -> None:
    assert {document.name for document in WITH_COMMANDS} >= {"operations.md", "relying-parties.md"}


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.name)
def test_every_command_does_what_it_should(folder: Path, document: Path) -> None:
    for words in commands(document):
        done = run(folder, *words[1:])
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        assert done.stdout
        if "--json" in words:
            json.loads(done.stdout)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(document: Path) -> None:
    """Commands within sentences, with the options they name."""
    text = document.read_text(encoding="utf-8")
    for named in re.findall(r"`gongmu ([^`]+)`", text):
        words = [word for word in shlex.split(named) if re.fullmatch(r"[a-z][a-z-]*", word)]
        done = run(Path("/"), *words[:2], "--help")
        if done.returncode:  # a command without subcommands: the second word is its argument
            done = run(Path("/"), words[0], "--help")
        assert done.returncode == 0, named
        for option in re.findall(r"--[a-z-]+", named):
            assert option in done.stdout, named


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`", text))
    for block in blocks(document, "sh"):
        named |= set(re.findall(r"^make ([a-z-]+)", block, re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_tree_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (document.parent / link).exists(), link


def test_the_mapping_of_the_document_is_one_and_can_be_tried(folder: Path) -> None:
    [mapping] = blocks(ROOT / "docs" / "relying-parties.md", "json")
    claims.parse_mapping(json.loads(mapping))
    file = folder / "claims.json"
    file.write_text(mapping, encoding="utf-8")
    words = ("rp", "preview", "mail", "--person", "E1000001", "--claims", str(file), "--json")
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr
    told = {one["claim"]: one for one in json.loads(done.stdout)["claims"]}
    assert told["unit"]["value"] == "가상행정부 / 정보화담당관"
    assert told["groups"]["value"] == ["all", "informatics"]
    assert told["rank"]["missing"]
    assert told["phone"]["missing"] == "entry.telephoneNumber has no value in the directory"
