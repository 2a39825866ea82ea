"""One sign-in over two devices as a row of single requests, so that something can fail before each."""

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.attacks.holder import Answer, Ask, Held
from tests.desk import ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider

AUTHORIZE, PAGE, POLL, REQUEST = "authorize", "qr page", "poll", "wallet request"
RESPONSE, RETURN, FINISH, CODE = "wallet response", "return page", "return code", "code"
TOKEN, USERINFO, REFRESH = "token", "userinfo", "refresh"
STEPS = (AUTHORIZE, PAGE, POLL, REQUEST, RESPONSE, RETURN, FINISH, CODE, TOKEN, USERINFO, REFRESH)


@dataclass
class Journey:
    """Each step is one request and its answer; what it yields is kept for the next."""

    provider: Provider
    held: Held
    desk: Desk = field(init=False)
    phone: Phone = field(init=False)
    wallet: httpx.Client = field(init=False)
    presentation: Answer = field(init=False)
    form: dict[str, str] = field(init=False)
    redirect_uri: str = ""
    return_code: str = ""
    back: str = ""  # /oauth/authorize?login=
    code: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)  # every access token that was given out

    def __post_init__(self) -> None:
        self.desk, self.phone = Desk(self.provider), Phone(self.provider)
        self.wallet = self.provider.client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for one in (self.desk.client, self.phone.client, self.wallet):
            one.close()

    def until(self, step: str) -> Self:
        """All steps before this one, each of which succeeds."""
        for name in STEPS[: STEPS.index(step)]:
            self.must(name)
        return self

    def must(self, step: str) -> None:
        """That step, which succeeds."""
        answer = self.step(step)
        assert answer.status_code in (200, 303), f"{step}: {answer.status_code} {answer.text[:500]}"

    def all(self) -> Self:
        """The whole sign-in."""
        for step in STEPS:
            self.must(step)
        return self

    def step(self, name: str) -> httpx.Response:
        """One step; its answer, whatever it is."""
        steps = {
            AUTHORIZE: self._authorize,
            PAGE: lambda: self._shown(self.desk.client.get(self.desk.login)),
            POLL: lambda: self.desk.client.get(f"{self.desk.login}/status"),
            REQUEST: self._request,
            RESPONSE: self._response,
            RETURN: self._return,
            FINISH: self._finish,
            CODE: self._code,
            TOKEN: self._token,
            USERINFO: self._userinfo,
            REFRESH: self._refresh,
        }
        return steps[name]()

    def _shown(self, answer: httpx.Response) -> httpx.Response:
        self.desk.answer = answer
        return answer

    def _authorize(self) -> httpx.Response:
        address = self.desk.authorization_url(
            acr_values=ACR_RETURN_CODE, scope="openid profile offline_access"
        )
        answer = self.desk.client.get(address)
        if answer.status_code == 303:
            self.desk.login = urlsplit(answer.headers["location"]).path
        return answer

    def _request(self) -> httpx.Response:
        page = self._shown(self.desk.client.get(self.desk.login))  # a fresh frame
        if page.status_code != 200:
            return page
        ask = Ask(self.provider, self.desk.wallet_link)
        answer = ask.get()
        if answer.status_code == 200:
            self.presentation = Answer(self.held, ask)
            self.form = self.presentation.build()
        return answer

    def _response(self) -> httpx.Response:
        answer = self.wallet.post(self.presentation.ask.response_uri, data=self.form)
        if answer.status_code == 200:
            self.redirect_uri = answer.json()["redirect_uri"]
        return answer

    def _return(self) -> httpx.Response:
        answer = self.phone.client.get(self.redirect_uri)
        self.phone.answer = answer
        if answer.status_code == 200:
            shown = self.phone.find(r'<output[^>]*\bid="return-code"[^>]*>(.*?)</output>')
            self.return_code = "".join(one for one in shown if one.isdigit())
        return answer

    def _finish(self) -> httpx.Response:
        page = self._shown(self.desk.client.get(self.desk.login))
        if page.status_code != 200:
            return page
        fields = {"csrf": self.desk.csrf, "return_code": self.return_code}
        answer = self.desk.client.post(f"{self.desk.login}/return-code", data=fields)
        if answer.status_code == 303:
            self.back = answer.headers["location"]
        return answer

    def _code(self) -> httpx.Response:
        answer = self.desk.client.get(self.back)
        if answer.status_code == 303:
            given = parse_qs(urlsplit(answer.headers["location"]).query)
            self.code = given.get("code", [""])[0]
        return answer

    def _token(self) -> httpx.Response:
        return self._kept(self.desk.redeem(self.code))

    def _refresh(self) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        party = self.desk.registered
        client = {name: party[name] for name in ("client_id", "client_secret")}
        return self._kept(self.wallet.post("/oauth/token", data={**form, **client}))

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 200:
            self.tokens = answer.json()
            self.issued.append(self.tokens["access_token"])
        return answer

    def _userinfo(self) -> httpx.Response:
        bearer = f"Bearer {self.tokens['access_token']}"
        return self.wallet.get("/oauth/userinfo", headers={"Authorization": bearer})
