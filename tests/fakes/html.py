"""A page as tests read it: its elements, its forms; badly nested markup fails at once."""

from html.parser import HTMLParser

from flask.testing import FlaskClient

from idp.web.locale import COOKIE

VOID = {"meta", "link", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """A page as its elements: (name, attributes, text inside)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("path", "rect", "circle"):
            return
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _tag, _attributes, texts in self._open:
            texts.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            {**attributes, "text": "".join(texts).strip()}
            for name, attributes, texts in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    def forms(self) -> dict[str, dict[str, str]]:
        """Action -> hidden and button fields, in order."""
        found: dict[str, dict[str, str]] = {}
        action = ""
        for name, attributes, _texts in self.elements:
            if name == "form":
                assert attributes["method"] == "post"
                action = attributes["action"]
                found[action] = {}
            elif name in ("input", "button") and "name" in attributes:
                found[action][attributes["name"]] = attributes.get("value", "")
        return found


def show(client: FlaskClient, name: str, lang: str = "ko") -> Page:
    client.set_cookie(COOKIE, lang)
    answer = client.get(name if name.startswith("/") else f"/page/{name}")
    assert answer.status_code == 200
    return Page(answer.get_data(as_text=True))
