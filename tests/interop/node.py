"""The npm wallet and the npm relying party as child processes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.provider import Provider

HERE = Path(__file__).resolve().parent
NODE = str(Path(sys.executable).with_name("node"))
DEADLINE_S = 60


class NodeFailed(Exception):
    """A script ended with an error; the text is its stderr."""


def _environment(provider: Provider, **more: str) -> dict[str, str]:
    trust = {"NODE_EXTRA_CA_CERTS": provider.ca_file} if provider.ca_file else {"ALLOW_HTTP": "1"}
    return {
        **os.environ,
        **trust,
        "VERIFIER_ANCHOR": provider.trust_anchors["verifier"],
        "ISSUER_ANCHOR": provider.trust_anchors["issuer"],
        **more,
    }


@dataclass(frozen=True, slots=True)
class NodeWallet:
    """The wallet of wallet.mjs with one mobile ID in a file."""

    provider: Provider
    state: Path

    def run(self, command: str, *arguments: str, **environment: str) -> dict[str, Any]:
        """One command; what it printed. NodeFailed."""
        done = subprocess.run(
            [NODE, str(HERE / "wallet.mjs"), str(self.state), command, *arguments],
            env=_environment(self.provider, **environment),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        if done.returncode != 0:
            raise NodeFailed(done.stderr)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed


class NodeRelyingParty:
    """A relying party, that of rp.mjs unless another is named, waiting for its callback."""

    def __init__(
        self, provider: Provider, settings: dict[str, Any], script: str = "rp.mjs"
    ) -> None:
        self._process = subprocess.Popen(
            [NODE, str(HERE / script), json.dumps({"issuer": provider.issuer, **settings})],
            env=_environment(provider),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def authorization_url(self) -> str:
        """Where it sends the browser. NodeFailed."""
        return str(self._line()["authorization_url"])

    def called_back(self, address: str) -> dict[str, Any]:
        """What it learns when the browser comes back to that address. NodeFailed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{address}\n")
        self._process.stdin.flush()
        return self._line()

    def heard(self) -> dict[str, Any]:
        """What it tells of the end of the session, once it has heard of it. NodeFailed."""
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, stderr = self._process.communicate(timeout=DEADLINE_S)
            raise NodeFailed(stderr)
        printed: dict[str, Any] = json.loads(line)
        return printed
