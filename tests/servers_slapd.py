"""A real slapd for tests, with TLS by a throw-away authority: on loopback, stopped by its own id."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.servers import Child, free_port

READER_PASSWORD = "a service password of the tests"
ROOT_PASSWORD = "a root password of the tests"
SCHEMAS = ("core", "cosine", "inetorgperson")


class Authority:
    """A certificate authority that lives as long as its folder."""

    def __init__(self, folder: Path, name: str = "Throw-away authority of the tests") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key.public_key(), ca=True)
        self.ca_file = folder / f"ca-{self._certificate.serial_number:x}.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def leaf(self, *hosts: str, days: tuple[int, int] = (-1, 2)) -> tuple[Path, Path]:
        """Certificate and key files for these hosts, valid between those days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        certificate = self._sign(name, key.public_key(), hosts=hosts, days=days)
        stem = self.folder / f"leaf-{certificate.serial_number:x}"
        files = stem.with_suffix(".pem"), stem.with_suffix(".key")
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        ca: bool = False,
        hosts: tuple[str, ...] = (),
        days: tuple[int, int] = (-1, 2),
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(names, critical=False).add_extension(usage, False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)


@dataclass(frozen=True, slots=True)
class Slapd:
    """A running slapd with one suffix."""

    suffix: str
    port: int
    tls_port: int
    ca_file: Path
    password_file: Path
    child: Child

    @property
    def ldap_url(self) -> str:
        return f"ldap://localhost:{self.port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def reader_dn(self) -> str:
        return f"cn=gongmu-reader,{self.suffix}"

    def log(self) -> str:
        """What it logged so far: one line for each operation."""
        return self.child.tail(10_000_000)

    def modify(self, ldif: str) -> None:
        """Change entries as the administrator (ldapmodify)."""
        command = ["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}"]
        account = ["-D", f"cn=root,{self.suffix}", "-w", ROOT_PASSWORD]
        subprocess.run(
            [*command, *account], input=ldif.encode(), check=True, capture_output=True, timeout=20
        )


@contextlib.contextmanager
def slapd(
    entries: str,
    suffix: str,
    authority: Authority,
    *,
    leaf: tuple[Path, Path] | None = None,
    extra_config: str = "",
) -> Iterator[Slapd]:
    """A slapd that holds these entries (LDIF text), and a service account that may only read."""
    folder = Path(tempfile.mkdtemp(prefix="gongmu-slapd-data-"))
    certificate, key = leaf or authority.leaf("localhost", "127.0.0.1")
    reader = f"""
dn: cn=gongmu-reader,{suffix}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: gongmu-reader
userPassword: {READER_PASSWORD}
"""
    config = _config(folder, suffix, certificate, key) + extra_config
    child = None
    try:
        (folder / "cfg").mkdir()
        (folder / "db").mkdir()
        _slapadd(folder, "0", config)
        _slapadd(folder, "1", f"{entries.rstrip()}\n{reader}")
        password_file = folder / "password"
        password_file.write_text(READER_PASSWORD + "\n")
        port, tls_port = free_port(), free_port()
        addresses = f"ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"
        program = ["/usr/sbin/slapd", "-F", str(folder / "cfg"), "-d", "stats", "-h", addresses]
        child = Child("slapd", program)
        child.wait_until(lambda: _listens(tls_port))
        yield Slapd(suffix, port, tls_port, authority.ca_file, password_file, child)
    finally:
        if child is not None:
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool | None:
    with socket.socket() as probe:
        return True if probe.connect_ex(("127.0.0.1", port)) == 0 else None


def _slapadd(folder: Path, number: str, ldif: str) -> None:
    file = folder / f"load-{number}.ldif"
    file.write_text(ldif)
    command = ["/usr/sbin/slapadd", "-n", number, "-F", str(folder / "cfg"), "-l", str(file)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def _config(folder: Path, suffix: str, certificate: Path, key: Path) -> str:
    schemas = "\n".join(f"include: file:///etc/ldap/schema/{name}.ldif\n" for name in SCHEMAS)
    return f"""dn: cn=config
objectClass: olcGlobal
cn: config
olcTLSCertificateFile: {certificate}
olcTLSCertificateKeyFile: {key}
olcSizeLimit: 500

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: memberof

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

{schemas}
dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{0}}config
olcAccess: to * by * none

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcSuffix: {suffix}
olcDbDirectory: {folder}/db
olcDbIndex: objectClass,employeeNumber,member eq
olcRootDN: cn=root,{suffix}
olcRootPW: {ROOT_PASSWORD}
olcAccess: to attrs=userPassword by anonymous auth by * none
olcAccess: to * by dn.exact="cn=gongmu-reader,{suffix}" read by * none
"""
