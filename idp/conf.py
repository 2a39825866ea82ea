"""The settings: one TOML file, one typed model, read once and checked whole.

Models are frozen and refuse unknown keys. Durations say their unit; secrets are `*_file` paths.
`[methods.*]`, `[sites.*]`, `[directories.*]` hold the tables of parts, each checked by the part's
own settings class (found by entry point); `idp/conf_file` reads the file and reports problems.
Descriptions stand in the generated `conf/gongmu.toml`; a key with `examples` must be set there.
"""

from ipaddress import ip_network
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
PRIVATE_NETWORKS = (
    *("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
)
Acr = Literal["urn:gongmu:acr:1", "urn:gongmu:acr:2", "phr", "phrh"]
ACR_ORDER: tuple[str, ...] = ("urn:gongmu:acr:1", "urn:gongmu:acr:2", "phr", "phrh")


# Without a hyphen: servers read "_" in a header's name as "-", so that one which a client sent under a
# name with "_" would pass for the proxy's own.
_HEADER = r"^([A-Za-z][A-Za-z0-9]{0,63})?$"


class Server(Table):
    """How `gongmu serve` listens."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535)
    unix_socket: Path | None = Field(None, description="listen here instead of host and port")
    workers: int = Field(0, ge=0, le=256, description="processes; 0 means one per core")
    blocking_threads: int = Field(8, ge=1, le=128, description="requests at once in each process")
    pin_workers: bool = Field(
        True, description="each worker stays on a core of its own, which costs a third less (Linux)"
    )
    trusted_proxies: tuple[Cidr, ...] = Field(
        (), description="only from these is address_header believed, e.g. 10.0.0.0/8"
    )
    address_header: str = Field(
        "X-Forwarded-For",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="in which they name the client's address; one without '-' has no second spelling with '_'",
    )
    client_certificate_header: str = Field(
        "",
        pattern=_HEADER,
        description="in which a trusted proxy passes a client's certificate on (RFC 8705), e.g. XClientCert",
    )
    client_certificate_verdict_header: str = Field(
        "",
        pattern=_HEADER,
        description="in which it says SUCCESS when it checked the chain, e.g. XClientVerify; for tls_client_auth",
    )
    monitoring_networks: tuple[Cidr, ...] = Field(
        PRIVATE_NETWORKS, description="who may read /metrics, and in /readyz what does not answer"
    )
    tls_certificate_file: Path | None = Field(
        None, description="PEM, leaf first; only when no proxy in front speaks TLS"
    )
    tls_key_file: Path | None = Field(None, description="PEM, readable by the server alone")
    stop_grace_s: int = Field(20, ge=1, le=300, description="time for running requests at a stop")

    @model_validator(mode="after")
    def _headers_need_a_proxy(self) -> "Server":
        """Without a proxy that we trust, anybody could send the header."""
        named = self.client_certificate_header or self.client_certificate_verdict_header
        if named and not self.trusted_proxies and self.unix_socket is None:
            raise ValueError("client_certificate_header needs trusted_proxies or unix_socket")
        if self.client_certificate_verdict_header and not self.client_certificate_header:
            raise ValueError("client_certificate_verdict_header needs client_certificate_header")
        return self


class Stores(Table):
    """Where state lives (SQL and Redis)."""

    sql_url: str = Field(
        "sqlite:///data/gongmu.db",
        description="sqlite:///path or postgresql+psycopg://login@host/name",
        examples=["postgresql+psycopg://gongmu@db.example.go.kr/gongmu"],
    )
    sql_password_file: Path | None = Field(None, description="one line, the server alone may read")
    redis_url: str = Field(
        "embedded",
        description="redis://, rediss://, unix://, redis+sentinel://host:port,host:port/service/db, or 'embedded'",
        examples=["rediss://redis.example.go.kr:6379/0"],
    )
    redis_password_file: Path | None = Field(None, description="the same for Redis")
    timeout_s: float = Field(3.0, gt=0, le=30, description="for every call to a store")


class Keys(Table):
    """Signing keys: where the sealing key is, how long keys live."""

    key_encryption_key_file: Path = Field(
        Path("data/key-encryption-key"),
        description="32 bytes in base64; seals the signing keys in SQL; back it up apart from them",
    )
    algorithms: tuple[Literal["ES256", "RS256", "PS256", "EdDSA"], ...] = Field(
        ("ES256", "RS256", "EdDSA"), min_length=1, description="of ID tokens; one key for each"
    )
    next_before_use_h: int = Field(
        24, ge=0, le=720, description="a new key is published this long before it signs"
    )


class Lifetimes(Table):
    """How long things last."""

    login_s: int = Field(120, ge=30, le=600, description="from the QR to the mailbox")
    frame_window_s: int = Field(10, ge=2, le=60, description="how old a scanned frame may be")
    code_s: int = Field(60, ge=10, le=60, description="authorization codes")
    access_token_s: int = Field(300, ge=30, le=300)
    id_token_s: int = Field(300, ge=30, le=3600)
    refresh_idle_s: int = Field(
        8 * 3600, ge=60, le=30 * 86400, description="an unused refresh token ends"
    )
    refresh_total_s: int = Field(
        12 * 3600, ge=60, le=90 * 86400, description="a refresh family ends, used or not"
    )
    refresh_grace_s: int = Field(
        10, ge=0, le=60, description="the same refresh again gets the same answer"
    )
    session_idle_s: int = Field(3600, ge=60, le=86400, description="an unused session ends")
    session_total_s: int = Field(12 * 3600, ge=300, le=86400, description="a session ends anyway")
    directory_state_s: int = Field(
        30, ge=0, le=60, description="how old a directory answer may be at refresh and userinfo"
    )


class Outbound(Table):
    """Where the provider may call for relying parties."""

    private_networks: tuple[Cidr, ...] = Field(
        (),
        description="networks beside the public one where keys of relying parties may be fetched, e.g. 10.0.0.0/8",
    )


class Grants(Table):
    """Ways to a token that few installations need. Each must be among a party's grant_types as well."""

    token_exchange: bool = Field(
        False, description="an internal application may call another for a person (RFC 8693)"
    )
    device: bool = Field(
        False, description="devices without a browser sign in by a code typed elsewhere (RFC 8628)"
    )


class Passkeys(Table):
    """What a person may register."""

    per_person: int = Field(10, ge=1, le=50, description="suspended ones count as well")


class Registration(Table):
    """Relying parties that register themselves, by invitation (`gongmu rp invite`)."""

    enabled: bool = Field(False, description="whether /oauth/register answers (RFC 7591, RFC 7592)")
    software_statement_jwks_file: Path | None = Field(
        None, description="a JWK set: who may sign the software statements that are believed"
    )
    software_statement_required: bool = Field(
        False, description="whether a registration without one is refused"
    )

    @model_validator(mode="after")
    def _statements_need_keys(self) -> "Registration":
        if self.software_statement_required and self.software_statement_jwks_file is None:
            raise ValueError("software_statement_required needs software_statement_jwks_file")
        return self


class Rates(Table):
    """What one address may do in a minute. A building, or a whole ministry's proxy, may be one address."""

    logins: int = Field(6000, ge=1, description="sign-ins that begin")
    refusals: int = Field(
        6000, ge=1, description="refused requests, also of one relying party; then without an event"
    )
    nonces: int = Field(6000, ge=1, description="nonces for proofs of a key")
    pictures: int = Field(3000, ge=1, description="pictures in which the web wallet seeks a QR")


class AcrRule(Table):
    """One row of the mapping (method, means) -> acr. The strongest row that matches wins."""

    method: str = Field(description="name of a [methods.<name>] table")
    means: tuple[str, ...] = Field(description="all of these must have been used")
    acr: Acr


class Network(Table):
    """A named network, so that pages and events speak of places."""

    cidr: Cidr = Field(description="e.g. 10.20.0.0/16")
    name: str = Field(
        min_length=1, description="as people call the place, e.g. Sejong complex, floor 3"
    )
    trusted: bool = Field(
        False, description="phone and desk both in it stand in for the return code (docs/risk.md)"
    )


class Wallet(Table):
    """A wallet a person may have: its name, and the prefix its links begin with."""

    name_ko: str = Field(description="as people know it, in Korean")
    name_en: str = Field(description="the same in English")
    present_prefix: str = Field(description="before the query, e.g. openid4vp://?")
    receive_prefix: str = Field(description="before the query, e.g. openid-credential-offer://?")


class Agency(Table):
    """Whose service this is, as pages say it."""

    name_ko: str = "공무 로그인"
    name_en: str = "Gongmu sign-in"
    emblem_file: Path | None = Field(None, description="SVG or PNG, shown on every page")
    official_site: bool = Field(False, description="shows the banner of official sites")
    help_desk: str = Field("", description="shown on error pages, e.g. a telephone number")


class Roles(Table):
    """Directory groups that give a role (design section 6)."""

    admin: tuple[str, ...] = Field((), description="adds relying parties, sees settings")
    auditor: tuple[str, ...] = Field((), description="reads and exports events")
    approver: tuple[str, ...] = Field((), description="approves applications for a mobile ID")
    issuer_staff: tuple[str, ...] = Field((), description="issues, suspends, reissues mobile IDs")
    loss_desk: tuple[str, ...] = Field((), description="takes loss reports day and night")


DEFAULT_ACR_RULES = (
    AcrRule(method="mobile_id", means=("qr",), acr="urn:gongmu:acr:1"),
    AcrRule(method="mobile_id", means=("qr", "return_code"), acr="urn:gongmu:acr:2"),
    AcrRule(method="mobile_id", means=("qr", "trusted_network"), acr="urn:gongmu:acr:2"),
    AcrRule(method="mobile_id", means=("same_device",), acr="phr"),
    AcrRule(method="mobile_id", means=("dc_api",), acr="phr"),
    AcrRule(method="fido2", means=("user_verified",), acr="phr"),
    AcrRule(method="fido2", means=("user_verified", "hardware_bound"), acr="phrh"),
)
DEFAULT_WALLETS = (
    Wallet(
        name_ko="모바일 신분증 앱",
        name_en="the mobile ID app",
        present_prefix="openid4vp://?",
        receive_prefix="openid-credential-offer://?",
    ),
)


class Settings(Table):
    """The whole file."""

    issuer: IssuerUrl = Field(
        description="the address people and relying parties reach us at; never change it later",
        examples=["https://id.example.go.kr"],
    )
    environment: Literal["production", "demo"] = Field(
        "production", description="production refuses http, embedded stores and demo secrets"
    )
    languages: tuple[Literal["ko", "en"], ...] = Field(
        ("ko", "en"), min_length=1, description="of the pages; the first is the default"
    )
    qr_link: Literal["scheme", "https"] = Field(
        "scheme", description="what the QR carries: the wallet's own scheme, or an https address"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    agency: Agency = Agency()
    server: Server = Server()
    stores: Stores = Stores()
    keys: Keys = Keys()
    lifetimes: Lifetimes = Lifetimes()
    rates: Rates = Rates()
    grants: Grants = Grants()
    passkeys: Passkeys = Passkeys()
    outbound: Outbound = Outbound()
    registration: Registration = Registration()
    acr_rules: tuple[AcrRule, ...] = DEFAULT_ACR_RULES
    networks: tuple[Network, ...] = ()
    wallets: tuple[Wallet, ...] = Field(DEFAULT_WALLETS, min_length=1)
    roles: Roles = Roles()
    methods: dict[str, Any] = Field(default_factory=dict, description="ways to sign in")
    sites: dict[str, Any] = Field(default_factory=dict, description="services beside the login")
    directories: dict[str, Any] = Field(
        default_factory=dict, description="sources of people, tried in the order they are written"
    )
    relying_parties: dict[str, Any] = Field(
        default_factory=dict, description="settings of a kind of relying party, where it has any"
    )

    @model_validator(mode="after")
    def _trusted_networks_need_true_addresses(self) -> "Settings":
        """Behind a proxy that is not named, everybody would seem to sit where the proxy stands."""
        server = self.server
        known = server.trusted_proxies or server.unix_socket or server.tls_certificate_file
        if (
            self.environment == "production"
            and not known
            and any(one.trusted for one in self.networks)
        ):
            raise ValueError(
                "networks.trusted needs server.trusted_proxies, unix_socket or a certificate"
            )
        return self

    @model_validator(mode="after")
    def _production_is_strict(self) -> "Settings":
        """Production refuses http issuers and the embedded stores (one message for all)."""
        if self.environment == "production":
            stores = self.stores
            faults = production_faults(self.issuer, stores.redis_url, stores.sql_url)
            if faults:
                raise ValueError("; ".join(f"{key}: {allowed}" for key, allowed in faults.items()))
        return self


def production_faults(issuer: str, redis_url: str, sql_url: str) -> dict[str, str]:
    """What production does not allow: key -> what it asks for instead."""
    faults = {}
    if not issuer.startswith("https://"):
        faults["issuer"] = "an https address in production"
    if redis_url == "embedded":
        faults["stores.redis_url"] = "a real Redis in production (rediss://host:port/0)"
    if sql_url.startswith("sqlite"):
        faults["stores.sql_url"] = "postgresql+psycopg://login@host/name in production"
    return faults
