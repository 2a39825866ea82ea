"""Reading the configuration: every mistake at once, with its place; secrets never shown."""

import json
import tomllib
from pathlib import Path

import pytest

from idp import conf_file
from idp.conf import Settings
from idp.errors import ConfError, Problem

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = """
issuer = "https://id.example.go.kr"
[stores]
sql_url = "postgresql+psycopg://gongmu@db/gongmu"
redis_url = "rediss://redis:6379/0"
[keys]
key_encryption_key_file = "kek"
"""
DEMO = 'issuer = "http://localhost:8000"\nenvironment = "demo"\n'


def write(folder: Path, text: str) -> Path:
    kek = folder / "kek"
    kek.write_text("x")
    kek.chmod(0o600)
    file = folder / "gongmu.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str) -> dict[str, Problem]:
    with pytest.raises(ConfError) as caught:
        conf_file.load(write(folder, text))
    return {problem.key: problem for problem in caught.value.problems}


def test_a_good_file_loads(tmp_path: Path) -> None:
    settings = conf_file.load(write(tmp_path, PRODUCTION))
    assert settings.issuer == "https://id.example.go.kr"
    assert settings.environment == "production"


def test_relative_paths_are_beside_the_file(tmp_path: Path) -> None:
    settings = conf_file.load(write(tmp_path, PRODUCTION))
    assert settings.keys.key_encryption_key_file == tmp_path / "kek"
    demo = conf_file.load(write(tmp_path, DEMO))
    assert demo.stores.sql_url == f"sqlite:///{tmp_path}/data/gongmu.db"
    assert demo.keys.key_encryption_key_file == tmp_path / "data/key-encryption-key"


def test_every_mistake_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        'issuer = "http://id.example.go.kr"\n'
        "[server]\n"
        "wokers = 2\n"
        "port = 99999\n"
        "[lifetimes]\n"
        'code_s = "soon"\n'
        "[[networks]]\n"
        'cidr = "10.0.0.0/8"\n'
        'name = "one"\n'
        "[[networks]]\n"
        'cidr = "not a network"\n'
        'name = "two"\n'
        "[methods.mobile_idd]\n"
        "[directories.esaram]\n"
        'type = "ldiff"\n',
    )
    lines = {key: problem.line for key, problem in found.items()}
    assert lines == {
        "issuer": 1,
        "server.wokers": 3,
        "server.port": 4,
        "lifetimes.code_s": 6,
        "networks[1].cidr": 11,
        "methods.mobile_idd": 13,
        "directories.esaram.type": 15,
        "stores.redis_url": None,
        "stores.sql_url": None,
        "keys.key_encryption_key_file": None,
    }
    assert "did you mean 'workers'?" in found["server.wokers"].allowed
    assert "did you mean 'mobile_id'?" in found["methods.mobile_idd"].allowed
    assert "did you mean 'ldif'?" in found["directories.esaram.type"].allowed
    assert "65535" in found["server.port"].allowed
    assert found["server.port"].found == "99999"
    assert all(problem.file == str(tmp_path / "gongmu.toml") for problem in found.values())


def test_a_missing_key_is_said(tmp_path: Path) -> None:
    found = problems(tmp_path, 'environment = "demo"\n')
    assert found["issuer"].found == "nothing"


@pytest.mark.parametrize(
    ("text", "line"),
    [('issuer = "a"\nissuer = "b"\n', 2), ("issuer = \n", 1), ('[server\nport = 1"\n', 1)],
)
def test_toml_that_is_none_has_its_line(tmp_path: Path, text: str, line: int) -> None:
    found = problems(tmp_path, text)
    assert found["(syntax)"].line == line


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="no such file"):
        conf_file.load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfError, match="directory"):
        conf_file.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'issuer = "\xe9"')
    with pytest.raises(ConfError, match="UTF-8"):
        conf_file.load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "line",
    [
        'redis_password = "hunter2secret"',
        'redis_url = ["redis://:hunter2secret@host/0"]',
        'timeout_s = "redis://login:hunter2secret@host"',
        'client_secret = "hunter2secret"',
        'anything = "hunter2secret"',
    ],
)
def test_a_secret_is_never_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfError) as caught:
        conf_file.load(write(tmp_path, f"{DEMO}[stores]\n{line}\n"))
    assert "hunter2secret" not in str(caught.value)
    assert "hunter2secret" not in repr(caught.value.problems)


# --- production -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("https://id", "http://id", "issuer"),
        ("https://id.example.go.kr", "http://localhost:8000", "issuer"),
        ("rediss://redis:6379/0", "embedded", "stores.redis_url"),
        ("postgresql+psycopg://gongmu@db/gongmu", "sqlite:///x.db", "stores.sql_url"),
    ],
)
def test_production_refuses(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert list(problems(tmp_path, PRODUCTION.replace(old, new))) == [key]


def test_production_settings_refuse_without_a_file_too() -> None:
    with pytest.raises(ValueError, match=r"stores\.redis_url"):
        Settings(issuer="https://id.example.go.kr")


def test_a_trusted_network_needs_to_know_who_is_in_it(tmp_path: Path) -> None:
    network = '\n[[networks]]\ncidr = "10.1.0.0/16"\nname = "Annex"\ntrusted = true\n'
    found = problems(tmp_path, PRODUCTION + network)
    assert ["trusted_proxies" in one.allowed for one in found.values()] == [True]
    conf_file.load(write(tmp_path, PRODUCTION + network.replace("true", "false")))
    proxied = PRODUCTION + '[server]\ntrusted_proxies = ["10.0.0.1/32"]\n'
    conf_file.load(write(tmp_path, proxied + network))


def test_a_network_has_a_name(tmp_path: Path) -> None:
    """Who is in no network has "" for its name."""
    network = '\n[[networks]]\ncidr = "10.1.0.0/16"\nname = ""\n'
    assert list(problems(tmp_path, PRODUCTION + network)) == ["networks[0].name"]


def test_a_missing_sealing_key_comes_with_the_command_that_makes_one(tmp_path: Path) -> None:
    found = problems(tmp_path, PRODUCTION.replace('"kek"', '"other"'))
    assert "umask 077" in found["keys.key_encryption_key_file"].allowed
    assert not (tmp_path / "other").exists()


def test_a_demo_may_make_its_sealing_key(tmp_path: Path) -> None:
    conf_file.load(write(tmp_path, f'{DEMO}[keys]\nkey_encryption_key_file = "new"\n'))


def test_a_private_file_is_private_in_production(tmp_path: Path) -> None:
    file = write(tmp_path, PRODUCTION)
    (tmp_path / "kek").chmod(0o640)
    with pytest.raises(ConfError, match="chmod 600"):
        conf_file.load(file)
    (tmp_path / "kek").chmod(0o400)
    conf_file.load(file)


def test_files_must_exist(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        f'{DEMO}[agency]\nemblem_file = "emblem.svg"\n[server]\ntls_certificate_file = "/"\n'
        "[sites.wallet]\n"
        'verifier_anchors_files = ["kek", "no.pem"]\n',
    )
    assert "emblem.svg" in found["agency.emblem_file"].found
    assert "not a file" in found["server.tls_certificate_file"].found
    assert "no.pem" in found["sites.wallet.verifier_anchors_files[1]"].found
    assert "sites.wallet.verifier_anchors_files[0]" not in found


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    found = problems(tmp_path, f'{DEMO}[server]\ntls_certificate_file = "kek"\n')
    assert list(found) == ["server.tls_key_file"]


# --- parts ----------------------------------------------------------------------------------------

LDIF = """
[directories.esaram]
type = "ldif"
file = "people.ldif"
base_dn = "ou=people,dc=example"
groups_base_dn = "ou=groups,dc=example"
"""


def test_a_part_s_table_becomes_its_settings(tmp_path: Path) -> None:
    (tmp_path / "people.ldif").write_text("")
    settings = conf_file.load(write(tmp_path, f"{DEMO}{LDIF}[methods.mobile_id]\n[sites.issuer]\n"))
    source = settings.directories["esaram"]
    assert source.name == "esaram"
    assert source.file == tmp_path / "people.ldif"
    assert settings.methods["mobile_id"].open
    assert settings.sites["issuer"].open


def test_directories_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "people.ldif").write_text("")
    text = DEMO + LDIF.replace("esaram", "zeta") + LDIF.replace("esaram", "alpha")
    assert list(conf_file.load(write(tmp_path, text)).directories) == ["zeta", "alpha"]


def test_mistakes_in_a_part_s_table(tmp_path: Path) -> None:
    found = problems(
        tmp_path, f"{DEMO}{LDIF}groups = 3\nnumber_atribute = 'x'\n[sites]\nissuer = 1\n"
    )
    assert found["directories.esaram.groups"].line == 9
    assert "number_attribute" in found["directories.esaram.number_atribute"].allowed
    assert "people.ldif" in found["directories.esaram.file"].found
    assert "[sites.issuer]" in found["sites.issuer"].allowed


def test_a_table_that_is_no_table(tmp_path: Path) -> None:
    found = problems(tmp_path, f'methods = "mobile_id"\n{DEMO}')
    assert "[methods.<name>]" in found["methods"].allowed


# --- documents ------------------------------------------------------------------------------------


def test_the_committed_default_is_not_stale() -> None:
    committed = (ROOT / "conf/gongmu.toml").read_text(encoding="utf-8")
    assert committed == conf_file.default_text(), "run: gongmu config default > conf/gongmu.toml"


def test_the_default_needs_nothing_but_its_sealing_key(tmp_path: Path) -> None:
    assert list(problems(tmp_path, conf_file.default_text())) == ["keys.key_encryption_key_file"]


def test_every_commented_key_of_the_default_is_a_real_one() -> None:
    """With every '# key = value' of the core uncommented the text still parses and validates."""
    core = conf_file.default_text().partition("# ways to sign in")[0]
    lines = []
    for line in core.splitlines():
        bare = line.removeprefix("# ")
        is_key = " = " in bare and bare.split(" = ")[0].isidentifier()
        lines.append(bare if is_key or bare.startswith("[[") else line)
    data = tomllib.loads("\n".join(lines))
    data.pop("networks")  # an example without a default
    Settings.model_validate(data)
    assert set(data["lifetimes"]) == set(
        type(Settings.model_fields["lifetimes"].default).model_fields
    )


def test_the_schema_holds_the_parts() -> None:
    schema = conf_file.schema()
    assert "mobile_id" in schema["properties"]["methods"]["properties"]
    kinds = schema["properties"]["directories"]["additionalProperties"]["oneOf"]
    assert {kind["properties"]["type"]["const"] for kind in kinds} == {"ldap", "ldif"}
    assert all("name" not in kind["properties"] for kind in kinds)
    text = json.dumps(schema)
    for name in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert name in schema["$defs"]
