"""Every error Gongmu raises on purpose, as one tree.

GongmuError
├── RequestError          a relying party's (or wallet's) request is at fault; code from RFC 6749, OIDC Core, VCI
│   └── UnauthorizedError  the caller did not prove who it is (401)
├── LoginError            this login ends, or this step of it is refused
│   ├── WrongStep         the login is already at another step
│   ├── LoginNotFound     no such login in this browser
│   ├── LoginExpired      the time for this login has passed
│   ├── ProofRejected     what the wallet or authenticator sent does not verify
│   ├── ProofDeclined     the person said no on the phone
│   ├── ReturnCodeWrong   the code typed at the desk is not the one on the phone
│   └── AccessDenied      the person may not enter (retired, unknown, cut off, not admitted)
├── OutsideError          a system beside us does not answer (503)
└── ConfError             the configuration is at fault (at start only)

The text given to a constructor is for the log alone, and never holds what somebody sent. What the public
sees is `code`, `status` and the message of `reason`: `idp/problems.py`.
"""

from dataclasses import dataclass

from idp.events import Reason


class GongmuError(Exception):
    """The root: a public `code`, an HTTP `status` and a `reason` for the event and the page."""

    code = "server_error"
    status = 500
    reason = Reason.INTERNAL
    # What the event of this refusal is to say beside the reason; set by who knows it.
    journey = ""
    relying_party = ""
    method = ""
    recorded = False  # true when the raiser wrote the event itself

    def __init__(self, detail: str = "", *, reason: Reason | None = None) -> None:
        super().__init__(detail)
        if reason is not None:
            self.reason = reason

    @property
    def detail(self) -> str:
        """What exactly was wrong, for the log."""
        return str(self.args[0]) if self.args else ""


class RequestError(GongmuError):
    """A request is at fault. `code` is the wire's own word (RFC 6749 §4.1.2.1, §5.2).

    `public` is a plain ASCII sentence for `error_description`. `may_redirect` is true only once
    the client and its redirect URI have been checked (R-002).
    """

    status = 400
    reason = Reason.BAD_REQUEST

    def __init__(
        self,
        code: str,
        public: str = "",
        *,
        detail: str = "",
        reason: Reason | None = None,
        may_redirect: bool = False,
    ) -> None:
        super().__init__(detail or public or code, reason=reason)
        self.code = code
        self.public = public
        self.may_redirect = may_redirect


class UnauthorizedError(RequestError):
    """The caller did not authenticate, or its token does not count (401)."""

    status = 401
    reason = Reason.CLIENT_AUTHENTICATION

    def __init__(
        self, code: str, public: str = "", *, scheme: str = "", reason: Reason | None = None
    ) -> None:
        super().__init__(code, public, reason=reason)
        self.scheme = scheme  # for WWW-Authenticate: "Basic", "Bearer", "DPoP" or none
        self.demands: dict[str, str] = {}  # more for that header: what would do (RFC 9470 §3)


class LoginError(GongmuError):
    """The login ends, or a step of it is refused."""

    code = "access_denied"
    status = 403


class LoginNotFound(LoginError):
    """No such login in this browser (unknown, or another browser's: the same answer)."""

    code = "login_not_found"
    status = 404
    reason = Reason.LOGIN_UNKNOWN


class LoginExpired(LoginError):
    """The time for this login has passed."""

    code = "login_expired"
    status = 400
    reason = Reason.LOGIN_EXPIRED


class WrongStep(LoginError):
    """The login is already at another step (a second wallet, a late post, two tabs)."""

    code = "invalid_request"
    status = 400
    reason = Reason.LOGIN_STEP


class ProofRejected(LoginError):
    """What the wallet or authenticator sent does not verify. `reason` says which check."""

    code = "invalid_presentation"
    status = 400
    reason = Reason.PROOF_MALFORMED


class ProofDeclined(LoginError):
    """The person said no on the phone (a wallet's error response with our `state`)."""

    code = "proof_declined"
    status = 400
    reason = Reason.DECLINED


class ReturnCodeWrong(LoginError):
    """The code typed at the desk is not the one the phone shows."""

    code = "return_code_wrong"
    status = 400
    reason = Reason.RETURN_CODE_WRONG


class AccessDenied(LoginError):
    """The person may not enter; `reason` says why."""

    code = "access_denied"
    status = 403
    reason = Reason.NOT_ADMITTED


class OutsideError(GongmuError):
    """A system beside us does not answer in time. `system` is its name in `/readyz`."""

    code = "temporarily_unavailable"
    status = 503
    reason = Reason.OUTSIDE

    def __init__(self, system: str, detail: str = "") -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration."""

    file: str
    key: str  # dotted path, e.g. "server.workers"
    line: int | None
    found: str  # what stands there, shortened; secrets are never shown
    allowed: str  # what may stand there

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: found {self.found}; allowed: {self.allowed}"


class ConfError(GongmuError):
    """The configuration is at fault: every problem at once."""

    code = "configuration"
    reason = Reason.CONFIGURATION

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
