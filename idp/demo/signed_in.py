"""Who is signed in at a relying party, until they or the provider end it."""

from collections.abc import Mapping
from typing import Any

from idp.demo.client import SignInFailed
from idp.demo.shelf import Shelf

_SESSION_S = 3600
_REMEMBERED_S = 600


class SignedIn:
    """Sessions of one relying party, by the value of its cookie."""

    def __init__(self) -> None:
        self._sessions = Shelf(_SESSION_S)
        self._ended = Shelf(_REMEMBERED_S)

    def begin(self, session: dict[str, Any]) -> str:
        """The cookie's value. SignInFailed when the provider ended it while we were asking."""
        if self._ended.get(session["claims"].get("sid", "")) is not None:
            raise SignInFailed("session_over")
        return self._sessions.put(session)

    def get(self, cookie: str) -> dict[str, Any] | None:
        """The session, while it lasts."""
        return self._sessions.get(cookie)

    def leave(self, cookie: str) -> dict[str, Any] | None:
        """The session, this last time."""
        return self._sessions.take(cookie)

    def end(self, over: Mapping[str, str]) -> None:
        """The provider says so: one session by `sid`, or all of that person by `sub`; as often as it likes."""
        name = "sid" if "sid" in over else "sub"
        self._ended.put(dict(over), over.get("sid", ""))
        self._sessions.drop(lambda session: bool(session["claims"].get(name) == over[name]))
