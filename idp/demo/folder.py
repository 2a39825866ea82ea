"""The demo's data folder: its configuration (an ordinary one, to read and to learn from) and its keys."""

import json
from dataclasses import dataclass
from pathlib import Path

from idp.conf import LOOPBACK_HOSTS
from idp.demo import authority
from idp.errors import ConfError, Problem
from idp.paths import CONF


@dataclass(frozen=True, slots=True)
class Options:
    """What `gongmu demo` was asked for."""

    host: str
    port: int
    https: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where this demo lives."""

    folder: Path
    issuer: str
    parties_url: str
    bind_host: str
    port: int
    tls: authority.Tls | None

    @property
    def conf_file(self) -> Path:
        """Its configuration."""
        return self.folder / "gongmu.toml"


def prepare(folder: Path, options: Options) -> Place:
    """The folder with everything that must lie in it before the start. ConfError."""
    _check(options)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        found = f"{folder} ({(error.strerror or 'not usable').lower()})"
        raise ConfError([Problem("gongmu demo", "--data", None, found, "a folder")]) from error
    host = options.host.strip("[]")
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if options.https else "http"
    place = Place(
        folder=folder.resolve(),
        issuer=f"{scheme}://{shown}:{options.port}",
        parties_url=f"{scheme}://{shown}:{options.port + 1}",
        bind_host="127.0.0.1" if host == "localhost" else host,
        port=options.port,
        tls=authority.ensure(folder, host) if options.https else None,
    )
    place.conf_file.write_text(_configuration(place), encoding="utf-8")
    return place


def _check(options: Options) -> None:
    loopback = options.host in LOOPBACK_HOSTS
    if not loopback and not options.https:
        problem = Problem(
            "gongmu demo", "--host", None, options.host, "localhost, or any host with --https"
        )
        raise ConfError([problem])


def _configuration(place: Place) -> str:
    return "\n".join(
        [
            "# Written by `gongmu demo` at every start: an ordinary configuration, made for one machine.",
            "# `gongmu config default` shows every key; for a real service set",
            '# environment = "production", which refuses the embedded stores and http.',
            f"issuer = {_text(place.issuer)}",
            'environment = "demo"',
            'log_level = "warning"',
            "",
            "[agency]",
            'name_ko = "공무 로그인 (시연)"',
            'name_en = "Gongmu sign-in (demo)"',
            'help_desk = "000-0000"',
            "",
            *_server(place),
            "[stores]",
            'sql_url = "sqlite:///gongmu.db"',
            'redis_url = "embedded"',
            "",
            "[keys]",
            'key_encryption_key_file = "key-encryption-key"',
            "",
            *_wallets(place),
            "[roles]  # groups of the directory",
            'admin = ["gongmu-admins"]',
            'auditor = ["gongmu-auditors"]',
            'approver = ["gongmu-approvers"]',
            'issuer_staff = ["gongmu-issuers"]',
            'loss_desk = ["gongmu-loss-desk"]',
            "",
            "[methods.mobile_id]",
            "",
            "[methods.fido2]  # passkeys",
            'rp_name = "공무 로그인 (시연)"',
            "",
            "[sites.issuer]",
            "",
            "[sites.wallet]",
            "",
            *_directory("esaram", "central government", r"E\d{7}"),
            *_directory("insarang", "local government", r"I\d{7}"),
        ]
    )


def _server(place: Place) -> list[str]:
    lines = ["[server]", f"host = {_text(place.bind_host)}", f"port = {place.port}", "workers = 1"]
    if place.tls is not None:
        lines += [
            f"tls_certificate_file = {_text(place.tls.certificate_file)}",
            f"tls_key_file = {_text(place.tls.key_file)}",
        ]
    return [*lines, ""]


def _wallets(place: Place) -> list[str]:
    return [
        "[[wallets]]  # any wallet that speaks OpenID4VP and OpenID4VCI",
        'name_ko = "모바일 신분증 앱"',
        'name_en = "the mobile ID app"',
        'present_prefix = "openid4vp://?"',
        'receive_prefix = "openid-credential-offer://?"',
        "",
        "[[wallets]]  # the reference wallet, served under /wallet",
        'name_ko = "웹 지갑"',
        'name_en = "the web wallet"',
        f"present_prefix = {_text(f'{place.issuer}/wallet/present?')}",
        f"receive_prefix = {_text(f'{place.issuer}/wallet/receive?')}",
        "",
    ]


def _directory(name: str, meaning: str, numbers: str) -> list[str]:
    file = CONF / "demo" / f"{name}.ldif"
    base = f"dc={name},dc=example"
    return [
        f"[directories.{name}]  # {meaning}",
        'type = "ldif"',
        f"file = {_text(file)}",
        f"base_dn = {_text(f'ou=people,{base}')}",
        f"personnel_number_pattern = '{numbers}'",
        f"groups_base_dn = {_text(f'ou=groups,{base}')}",
        "",
    ]


def _text(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
