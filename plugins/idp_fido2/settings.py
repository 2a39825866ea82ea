"""The table `[methods.fido2]`."""

import re
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from idp.contracts import MethodKit
from idp.errors import ConfError, Problem
from idp_fido2 import chain, keys
from idp_fido2.attestation import Attestations, Demand
from idp_fido2.metadata import MetadataFile, Source
from idp_fido2.method import Fido2Method
from idp_fido2.policy import CounterRule, Policy

Algorithm = Literal["ES256", "EdDSA", "ES384", "RS256"]


_ORIGIN = re.compile(
    r"https://[a-z0-9.-]+(?!:443$)(:[0-9]{1,5})?|http://([a-z0-9-]+\.)*localhost(:[0-9]{1,5})?"
)


def _origin(text: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2); http only where they take it for secure."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError("an origin is https://host, in lower case, with a port if it is not 443")
    return text


Origin = Annotated[str, AfterValidator(_origin)]
Model = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Fido2Settings(BaseModel):
    """The table `[methods.fido2]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rp_id: str = Field(
        "",
        pattern=r"^[a-z0-9.-]*$",
        description="the domain that passkeys belong to, by default the issuer's host; never change it later",
    )
    rp_name: str = Field(
        "Gongmu", min_length=1, max_length=64, description="as passkey managers show this service"
    )
    origins: tuple[Origin, ...] = Field(
        (), description="pages on which passkeys may be used, exactly; by default the issuer's"
    )
    related_origins: tuple[Origin, ...] = Field(
        (), description="pages of other domains that may use them too; published for browsers"
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("ES256", "EdDSA", "ES384", "RS256"), min_length=1, description="of keys, best first"
    )
    attestation: Demand = Field(
        "none",
        description="who vouches for a device: nobody asks; asked, and checked when told; must be known",
    )
    enterprise_attestation: bool = Field(
        False, description="ask managed devices which one they are"
    )
    attestation_roots_folder: Path | None = Field(
        None, description="*.pem of roots that vouch for devices, beside the metadata's"
    )
    metadata_file: Path | None = Field(
        None, description="the FIDO metadata blob (MDS3), as fetched"
    )
    metadata_root_file: Path | None = Field(None, description="PEM of the root of its signer")
    metadata_signer: str = Field(
        "mds.fidoalliance.org", description="a name in the certificate of its signer"
    )
    allowed_models: tuple[Model, ...] = Field(
        (), description="AAGUIDs that alone are taken; needs attestation = 'verified'"
    )
    refused_models: tuple[Model, ...] = Field((), description="AAGUIDs that are not taken")
    counter: CounterRule = Field(
        "suspend", description="what a counter that does not rise does to a passkey"
    )

    @field_validator("metadata_root_file")
    @classmethod
    def _is_pem(cls, path: Path | None) -> Path | None:
        if path is not None:
            chain.read_pem(path)
        return path

    @field_validator("attestation_roots_folder")
    @classmethod
    def _holds_pem(cls, folder: Path | None) -> Path | None:
        if folder is not None:
            chain.read_folder(folder)
        return folder

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        asks = self.attestation != "none"
        if (self.metadata_file is None) != (self.metadata_root_file is None):
            raise ValueError("metadata_file and metadata_root_file go together")
        if asks and self.metadata_file is None and self.attestation_roots_folder is None:
            raise ValueError("attestation needs metadata_file or attestation_roots_folder")
        if self.enterprise_attestation and not asks:
            raise ValueError("enterprise_attestation needs attestation")
        if self.allowed_models and self.attestation != "verified":
            raise ValueError(
                "allowed_models needs attestation = 'verified': else anyone says any model"
            )
        return self

    def open(self, kit: MethodKit) -> Fido2Method:
        """Build the method. ConfError when domain, origins or metadata do not fit."""
        host = urlsplit(kit.base_url).hostname or ""
        rp_id = self.rp_id or host
        if not _is_within(host, rp_id):
            _refuse("rp_id", rp_id, f"{host} or a domain above it")
        origins = self.origins or (_origin_of(kit.base_url),)
        for origin in origins:
            if not _is_within(urlsplit(origin).hostname or "", rp_id):
                _refuse("origins", origin, f"pages of {rp_id}; others are related_origins")
        policy = Policy(
            rp_id=rp_id,
            rp_name=self.rp_name,
            origins=(*origins, *self.related_origins),
            algorithms=tuple(keys.ALGORITHMS[name] for name in self.algorithms),
            conveyance=self._conveyance(),
            counter=self.counter,
        )
        return Fido2Method(policy, self._attestations(kit), kit, self.related_origins)

    def _conveyance(self) -> str:
        """What the browser is asked to convey (WebAuthn L3 §5.4.7)."""
        if self.attestation == "none":
            return "none"
        return "enterprise" if self.enterprise_attestation else "direct"

    def _attestations(self, kit: MethodKit) -> Attestations:
        folder = self.attestation_roots_folder
        return Attestations(
            demand=self.attestation,
            roots=chain.read_folder(folder) if folder is not None else (),
            metadata=self._metadata(kit),
            allowed=frozenset(self.allowed_models),
            refused=frozenset(self.refused_models),
        )

    def _metadata(self, kit: MethodKit) -> MetadataFile | None:
        if self.metadata_file is None or self.metadata_root_file is None:
            return None
        roots = chain.read_pem(self.metadata_root_file)
        source = Source(self.metadata_file, roots, self.metadata_signer)
        try:
            return MetadataFile.open(source, kit.now())
        except ValueError as error:
            problem = Problem(
                "", "methods.fido2.metadata_file", None, str(self.metadata_file), str(error)
            )
            raise ConfError([problem]) from error


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refuse(key: str, found: str, allowed: str) -> NoReturn:
    raise ConfError([Problem("", f"methods.fido2.{key}", None, found, allowed)])
