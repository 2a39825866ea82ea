"""The settings: one TOML file, one typed model, read once and checked whole.

Models are frozen and refuse unknown keys. Durations say their unit; secrets are `*_file` paths.
`[methods.*]`, `[sites.*]`, `[directories.*]` hold the tables of parts, each checked by the part's
own settings class (found by entry point); `idp/conf_file.py` reads the file and reports problems.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


class Table(BaseModel):
    """The habits of every table: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


def _issuer_url(value: str) -> str:
    parts = urlsplit(value)
    loopback = parts.hostname in LOOPBACK_HOSTS
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError("an https address, or http with a loopback host")
    if parts.path or parts.query or parts.fragment or parts.username or not parts.hostname:
        raise ValueError("scheme, host and perhaps port only, without a slash at the end")
    return value


def _network(value: str) -> str:
    ip_network(value)
    return value


IssuerUrl = Annotated[str, AfterValidator(_issuer_url)]
Cidr = Annotated[str, AfterValidator(_network)]
Acr = Literal["urn:gongmu:acr:1", "urn:gongmu:acr:2", "phr", "phrh"]
ACR_ORDER: tuple[str, ...] = ("urn:gongmu:acr:1", "urn:gongmu:acr:2", "phr", "phrh")


class Server(Table):
    """How `gongmu serve` listens."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    unix_socket: Path | None = Field(None, description="listen here instead of host and port")
    workers: int = Field(0, ge=0, le=256, description="0 means one per core")
    blocking_threads: int = Field(8, ge=1, le=128)
    trusted_proxies: tuple[Cidr, ...] = Field(
        (), description="only from these is X-Forwarded-For believed"
    )
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    stop_grace_s: int = Field(20, ge=1, le=300)


class Stores(Table):
    """Where state lives (SQL and Redis)."""

    sql_url: str = Field(
        "sqlite:///data/gongmu.db", description="sqlite:///path or postgresql+psycopg://host/name"
    )
    sql_password_file: Path | None = None
    redis_url: str = Field(
        "embedded",
        description="redis://, rediss://, unix:// or 'embedded' (a child server on a socket)",
    )
    redis_password_file: Path | None = None
    timeout_s: float = Field(3.0, gt=0, le=30, description="for every call to a store")


class Keys(Table):
    """Signing keys: where the sealing key is, how long keys live."""

    key_encryption_key_file: Path = Path("data/key-encryption-key")
    algorithms: tuple[Literal["ES256", "RS256", "EdDSA"], ...] = ("ES256", "RS256", "EdDSA")
    next_before_use_h: int = Field(24, ge=0, le=720)


class Lifetimes(Table):
    """How long things last."""

    login_s: int = Field(120, ge=30, le=600)
    frame_window_s: int = Field(10, ge=2, le=60)
    code_s: int = Field(60, ge=10, le=60)
    access_token_s: int = Field(300, ge=30, le=300)
    id_token_s: int = Field(300, ge=30, le=3600)
    refresh_idle_s: int = Field(8 * 3600, ge=60, le=30 * 86400)
    refresh_total_s: int = Field(12 * 3600, ge=60, le=90 * 86400)
    refresh_grace_s: int = Field(10, ge=0, le=60)
    session_idle_s: int = Field(3600, ge=60, le=86400)
    session_total_s: int = Field(12 * 3600, ge=300, le=86400)
    directory_state_s: int = Field(
        30, ge=0, le=60, description="how old a directory answer may be at refresh and userinfo"
    )


class AcrRule(Table):
    """One row of the mapping (method, means) -> acr. The strongest row that matches wins."""

    method: str
    means: tuple[str, ...]
    acr: Acr


class Network(Table):
    """A named network, so that pages and events speak of places."""

    cidr: Cidr
    name: str
    trusted: bool = False


class Wallet(Table):
    """A wallet a person may have: its name, and the prefix its links begin with."""

    name: str
    present_prefix: str = Field(description="before the query, e.g. openid4vp://?")
    receive_prefix: str = Field(description="before the query, e.g. openid-credential-offer://?")


class Agency(Table):
    """Whose service this is, as pages say it."""

    name_ko: str = "공무 로그인"
    name_en: str = "Gongmu sign-in"
    emblem_file: Path | None = None
    help_desk: str = Field("", description="shown on error pages, e.g. a telephone number")


class Roles(Table):
    """Directory groups that give a role (design section 6)."""

    admin: tuple[str, ...] = ()
    auditor: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()
    issuer_staff: tuple[str, ...] = ()
    loss_desk: tuple[str, ...] = ()


DEFAULT_ACR_RULES = (
    AcrRule(method="mobile_id", means=("qr",), acr="urn:gongmu:acr:1"),
    AcrRule(method="mobile_id", means=("qr", "return_code"), acr="urn:gongmu:acr:2"),
    AcrRule(method="mobile_id", means=("same_device",), acr="phr"),
)
DEFAULT_WALLETS = (
    Wallet(
        name="openid4vp",
        present_prefix="openid4vp://?",
        receive_prefix="openid-credential-offer://?",
    ),
)


class Settings(Table):
    """The whole file."""

    issuer: IssuerUrl
    environment: Literal["production", "demo"] = "production"
    languages: tuple[Literal["ko", "en"], ...] = ("ko", "en")
    qr_link: Literal["scheme", "https"] = "scheme"
    agency: Agency = Agency()
    server: Server = Server()
    stores: Stores = Stores()
    keys: Keys = Keys()
    lifetimes: Lifetimes = Lifetimes()
    acr_rules: tuple[AcrRule, ...] = DEFAULT_ACR_RULES
    networks: tuple[Network, ...] = ()
    wallets: tuple[Wallet, ...] = DEFAULT_WALLETS
    roles: Roles = Roles()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    methods: dict[str, Any] = Field(default_factory=dict)
    sites: dict[str, Any] = Field(default_factory=dict)
    directories: dict[str, Any] = Field(
        default_factory=dict, description="tried in the order they are written"
    )

    @model_validator(mode="after")
    def _production_is_strict(self) -> "Settings":
        """Production refuses http issuers and the embedded stores (one message for all)."""
        if self.environment != "production":
            return self
        faults = []
        if self.issuer.startswith("http://"):
            faults.append("issuer must be https in production")
        if self.stores.redis_url == "embedded":
            faults.append("stores.redis_url must name a real Redis in production")
        if self.stores.sql_url.startswith("sqlite"):
            faults.append("stores.sql_url must be postgresql+psycopg in production")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def network_of(settings: Settings, address: str) -> Network | None:
    """The first named network that holds this address, if any."""
    from ipaddress import ip_address

    try:
        where = ip_address(address)
    except ValueError:
        return None
    for network in settings.networks:
        block: IPv4Network | IPv6Network = ip_network(network.cidr)
        if where.version == block.version and where in block:
            return network
    return None
