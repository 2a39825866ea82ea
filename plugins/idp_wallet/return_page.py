"""The return code on the page that the phone's browser opens: `<output id="return-code">`."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._inside = False
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "output" and ("id", "return-code") in attrs:
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "output":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text += data


def return_code_in(html: str) -> str:
    """The digits shown there, "" when the page shows none."""
    reader = _Reader()
    reader.feed(html)
    return "".join(character for character in reader.text if character.isdigit())
