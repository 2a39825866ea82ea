"""Good requests with real material in them: what is mutated gets past the first check of a parser."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.app import create_app
from idp.relying_parties import RelyingParty
from idp.services import Services
from tests.attacks.holder import Held, fetched
from tests.attacks.issuance import Issuance
from tests.desk import Desk, Lost
from tests.fakes.dpop import DpopKey
from tests.fakes.security_key import SecurityKey, form
from tests.fuzz.wire import Sent
from tests.passkeys import options
from tests.provider import Provider
from tests.stack import services_of

GRANTS = (
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
API = (
    ("gongmu:rp", "relying-parties"),
    ("gongmu:people", "people"),
    ("gongmu:issue", "mobile-ids"),
    ("gongmu:events", "events"),
)


@dataclass
class Seeds:
    """Samples to mutate, values to put anywhere, and what must never stand in a log."""

    samples: list[Sent] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    routes: list[tuple[str, str]] = field(default_factory=list)  # method, rule

    def keep(self, name: str, value: str, *, secret: bool = True) -> str:
        """A real value."""
        self.values[name] = value
        if secret and len(value) >= 16:
            self.secrets.add(value)
        return value

    def add(self, method: str, path: str, **parts: Any) -> None:
        """A good request."""
        self.samples.append(Sent(method, path, **parts))


@dataclass
class Gathering:
    """A sign-in and all that hangs on it, done once; each step adds its samples."""

    provider: Provider
    seeds: Seeds
    stack: ExitStack
    party: dict[str, Any]
    key: DpopKey = field(default_factory=DpopKey)
    signer: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "fuzz"}))

    def registered(self, name: str, parts: Services) -> dict[str, Any]:
        """A relying party that may do everything."""
        callback = f"http://localhost:9997/{name}"
        party = RelyingParty(
            *[name] * 3,
            redirect_uris=(callback,),
            grant_types=GRANTS,
            jwks={"keys": [self.signer.as_dict(private=False)]},
            exchange_audiences=("lab",),
        )
        secret = parts.relying_parties.add(party, "cli:tests")
        return {"client_id": name, "client_secret": secret, "redirect_uris": [callback]}

    def signed(self, claims: dict[str, Any], **header: str) -> str:
        return str(jwt.encode({"alg": "ES256", "kid": "fuzz", **header}, claims, self.signer))

    def assertion(self) -> dict[str, str]:
        """RFC 7523 §2.2."""
        now, party = int(time.time()), self.party["client_id"]
        aud = self.provider.issuer
        claims = {"iss": party, "sub": party, "aud": aud, "iat": now, "exp": now + 60, "jti": "j"}
        return {"client_assertion_type": ASSERTION, "client_assertion": self.signed(claims)}

    def authorization(self, desk: Desk) -> None:
        query = dict(parse_qsl(urlsplit(desk.authorization_url()).query))
        more = {"claims": '{"userinfo":{"name":{"essential":true}}}', "acr_values": "phr"}
        more |= {"max_age": "60", "prompt": "login", "ui_locales": "ko en", "login_hint": "x"}
        whole = {**query, **more, "dpop_jkt": self.key.thumbprint}
        now = int(time.time())
        inner = {**whole, "iss": query["client_id"], "aud": self.provider.issuer, "exp": now + 60}
        request = self.signed(inner, typ="oauth-authz-req+jwt")
        self.seeds.add("GET", "/oauth/authorize", query=list(whole.items()))
        self.seeds.add("POST", "/oauth/authorize", form=list(query.items()))
        wrapped = [("client_id", query["client_id"]), ("request", request)]
        self.seeds.add("GET", "/oauth/authorize", query=wrapped)
        both = {**whole, **self.assertion()}
        self.seeds.add("POST", "/oauth/par", form=list(both.items()), headers=[self.proof("par")])
        self.seeds.add("POST", "/oauth/par", form=[*wrapped, *self.secret()])

    def secret(self) -> list[tuple[str, str]]:
        return [
            (name, self.seeds.keep(name, self.party[name], secret=name.endswith("secret")))
            for name in ("client_id", "client_secret")
        ]

    def proof(self, endpoint: str, token: str = "") -> tuple[str, str]:
        address = f"{self.provider.issuer}/oauth/{endpoint}"
        return "DPoP", self.key.proof("POST", address, access_token=token)

    def sign_in(self, desk: Desk, held: Held) -> None:
        desk.start()
        waiting = fetched(held, desk.wallet_link)
        uri = urlsplit(waiting.ask.response_uri).path
        self.seeds.keep("handle", waiting.ask.handle, secret=False)
        self.seeds.keep("presentation", waiting.presentation())
        self.seeds.add("POST", uri, form=list(waiting.build().items()))
        for name in (waiting.ask.request_uri,):
            self.seeds.add("POST", urlsplit(name).path, form=[("wallet_nonce", "n" * 16)])
        cookies = self.cookies(desk)
        self.seeds.keep("login_id", desk.login.removeprefix("/login/"), secret=False)
        field_of = ("csrf", self.seeds.keep("csrf", desk.csrf))
        for name in ("return-code", "mobile_id", "fido2", "answer", "digital", "cancel", "again"):
            fields = [field_of, ("return_code", "00"), ("credential", "{}"), ("response", "{}")]
            self.seeds.add("POST", f"{desk.login}/{name}", form=fields, headers=[cookies])
        self.seeds.add("GET", f"{desk.login}/status", headers=[cookies])

    def tokens(self, desk: Desk, held: Held) -> None:
        """A second sign-in on this device, to the end."""
        desk.get("/account")
        desk.get("/account/passkeys")
        where = desk.post("/account/sign-in", next="new")
        desk.login = urlsplit(where).path
        if not desk.has_qr:
            desk.post(f"{desk.login}/mobile_id")
        desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        self.passkey(desk)
        desk.get("/account")
        cookies, field_of = self.cookies(desk), ("csrf", desk.csrf)
        for path in ("sign-out", "sessions/x/end", "language", "passkeys", "mobile-id/apply"):
            self.seeds.add("POST", f"/account/{path}", form=[field_of], headers=[cookies])
        for path in ("", "/passkeys", "/sessions"):
            self.seeds.add("GET", f"/account{path}", headers=[cookies])
        code = desk.answered(desk.agree(desk.get(desk.authorization_url(scope="openid profile"))))
        self.seeds.keep("code", code["code"])
        told = desk.redeem(code["code"]).json()
        for name in ("access_token", "id_token", "refresh_token"):
            if name in told:
                self.seeds.keep(name, told[name])

    def passkey(self, desk: Desk) -> None:
        if "data-options=" not in desk.page:
            return
        made = SecurityKey(self.provider.issuer).create(options(desk.page))
        attempt = desk.find(r'name="attempt" value="([^"]+)"')
        fields = [("csrf", desk.csrf), ("attempt", attempt), ("name", "열쇠"), *form(made).items()]
        self.seeds.add("POST", "/account/passkeys", form=fields, headers=[self.cookies(desk)])

    def cookies(self, desk: Desk) -> tuple[str, str]:
        jar = list(desk.client.cookies.jar)
        for one in jar:
            self.seeds.keep(f"cookie {one.name}", one.value or "")
        return "Cookie", "; ".join(f"{one.name}={one.value}" for one in jar)

    def token_endpoint(self) -> None:
        values = self.seeds.values
        grants = {
            "authorization_code": {"code": values["code"], "code_verifier": "v" * 43},
            "refresh_token": {"refresh_token": values.get("refresh_token", "r" * 43)},
            GRANTS[2]: {"device_code": values.get("device_code", "d" * 43)},
            GRANTS[3]: {
                "subject_token": values["access_token"],
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "audience": "lab",
            },
            "client_credentials": {"scope": "gongmu:rp"},
        }
        for grant, fields in grants.items():
            form = [("grant_type", grant), *fields.items(), *self.secret()]
            self.seeds.add("POST", "/oauth/token", form=form, headers=[self.proof("token")])
        form = [("grant_type", "refresh_token"), *self.assertion().items()]
        self.seeds.add("POST", "/oauth/token", form=form)
        for path in ("introspect", "revoke"):
            form = [("token", values["access_token"]), *self.secret()]
            self.seeds.add("POST", f"/oauth/{path}", form=form)
        bearer = ("Authorization", f"Bearer {values['access_token']}")
        self.seeds.add("GET", "/oauth/userinfo", headers=[bearer])
        dpop = [("Authorization", f"DPoP {values['access_token']}")]
        dpop.append(self.proof("userinfo", values["access_token"]))
        self.seeds.add("POST", "/oauth/userinfo", headers=dpop)
        hint = [("id_token_hint", values["id_token"]), ("state", "s"), ("client_id", "lab")]
        self.seeds.add("GET", "/oauth/logout", query=hint)
        self.seeds.add("POST", "/oauth/logout", form=hint)

    def device(self, client: httpx.Client) -> None:
        fields = {"scope": "openid", "client_id": self.party["client_id"]}
        fields["client_secret"] = self.party["client_secret"]
        self.seeds.add("POST", "/oauth/device_authorization", form=list(fields.items()))
        told = client.post("/oauth/device_authorization", data=fields).json()
        for name in ("device_code", "user_code"):
            if name in told:
                self.seeds.keep(name, told[name])

    def issuer(self, number: str) -> None:
        issuance = Issuance(self.provider, number)
        body = {
            "credential_configuration_id": next(
                iter(issuance.metadata["credential_configurations_supported"])
            ),
            "proofs": {"jwt": [issuance.proof()]},
        }
        path = urlsplit(issuance.metadata["credential_endpoint"]).path
        headers = [("Authorization", f"Bearer {self.seeds.keep('issuance', issuance.token)}")]
        self.seeds.add("POST", path, headers=[*headers, JSON], body=json.dumps(body).encode())

    def registration(self, invitation: str) -> None:
        body = {
            "redirect_uris": ["https://board.example.go.kr/callback"],
            "client_name": "Board",
            "client_name#ko": "게시판",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [self.signer.as_dict(private=False)]},
            "post_logout_redirect_uris": ["https://board.example.go.kr/out"],
            "backchannel_logout_uri": "https://board.example.go.kr/ended",
            "default_max_age": 60,
            "default_acr_values": ["phr"],
            "contacts": ["a@example.go.kr"],
            "scope": "openid profile",
        }
        bearer = ("Authorization", f"Bearer {self.seeds.keep('invitation', invitation)}")
        raw = json.dumps(body).encode()
        self.seeds.add("POST", "/oauth/register", headers=[bearer, JSON], body=raw)
        with self.provider.client() as client:
            answer = client.post("/oauth/register", content=raw, headers=dict([bearer, JSON]))
        assert answer.status_code == 201, answer.text
        told = answer.json()
        path = f"/oauth/register/{told['client_id']}"
        token = self.seeds.keep("registration", told["registration_access_token"])
        bearer = ("Authorization", f"Bearer {token}")
        changed = json.dumps({**body, "client_id": told["client_id"]}).encode()
        self.seeds.add("PUT", path, headers=[bearer, JSON], body=changed)
        self.seeds.add("GET", path, headers=[bearer])

    def api(self, number: str) -> None:
        for scope, path in API:
            token = self.seeds.keep(scope, self.provider.token(scope))
            bearer = ("Authorization", f"Bearer {token}")
            self.seeds.add("GET", f"/api/v1/{path}", headers=[bearer], query=[("limit", "2")])
            body = {"personnel_number": number, "client_id": "x", "name_ko": "가", "name_en": "x"}
            body["redirect_uris"] = ["https://board.example.go.kr/callback"]  # type: ignore[assignment]
            raw = json.dumps(body).encode()
            self.seeds.add("POST", f"/api/v1/{path}", headers=[bearer, JSON], body=raw)
            for method in ("GET", "PATCH", "PUT", "DELETE"):
                self.seeds.add(method, f"/api/v1/{path}/x", headers=[bearer, JSON], body=raw)


JSON = ("Content-Type", "application/json")


def gather(provider: Provider, round_: int, problems: Callable[[str], None]) -> Seeds:
    """Every sample, with material that is still good. What a fuzzed world no longer gives is told."""
    assert provider.conf_file is not None
    seeds = Seeds()
    with services_of(provider.conf_file) as parts, ExitStack() as stack:
        app = create_app(parts.settings, parts)
        for rule in app.url_map.iter_rules():
            seeds.routes += [(method, rule.rule) for method in rule.methods or ()]
        _, invitation = parts.self_registration.invite("fuzz", 50, 1, "cli:tests")
        name = f"fuzz{round_}"
        gathering = Gathering(provider, seeds, stack, {})
        gathering.party = provider.relying_parties[name] = gathering.registered(name, parts)
        number = provider.person(index=round_ % 3)
        desk = stack.enter_context(Desk(provider, party=name))
        desk_two = stack.enter_context(Desk(provider, party=name))
        client = stack.enter_context(provider.client())

        def held_steps() -> None:
            held = Held.receive(provider, number)
            gathering.sign_in(desk, held)
            gathering.tokens(desk_two, held)
            gathering.token_endpoint()

        steps: tuple[Callable[[], None], ...] = (
            lambda: gathering.authorization(desk),
            lambda: gathering.device(client),
            held_steps,
            lambda: gathering.issuer(provider.person(index=(round_ + 1) % 3)),
            lambda: gathering.registration(invitation),
            lambda: gathering.api(number),
        )
        for step in steps:
            try:
                step()
            except (Lost, AssertionError, KeyError) as error:
                problems(f"{type(error).__name__}: {str(error)[:600]}")
    for told in provider.relying_parties.values():
        seeds.secrets.add(told["client_secret"])
    seeds.secrets.add(provider.automation["client_secret"])
    return seeds
