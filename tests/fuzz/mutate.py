"""What a hostile sender makes of a good request. Everything is drawn from one seeded generator."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from copy import deepcopy
from random import Random
from typing import Any

from tests.fuzz.seeds import Seeds
from tests.fuzz.wire import Pairs, Sent, as_bytes

MARK = "<script>zq7()</script>"
HOSTILE = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\nX-Zq7: 1",
    "\x1b[31m\x7f",
    "\ud800",
    "a\udfffb",
    "\ufffe\u202e가",
    "𐀀" * 50,
    MARK,
    f"\"'>{MARK}",
    "{{7*7}}${7*7}%s%n",
    "../../etc/passwd",
    "..%2f..%2f",
    "' OR 1=1--",
    "*)(uid=*",
    "-1",
    "0",
    "1e999",
    "NaN",
    "9" * 40,
    "9" * 5000,
    "[" * 2000,
    '{"a":' * 500,
    "true",
    "null",
    "[]",
    "{}",
    '{"a":1,"a":2}',
    "A" * 3000,
    "가" * 2000,
    "javascript:alert(1)",
    "http://[::1",
    "http://127.0.0.1:1/",
    "https://user@host:99999/#x",
    "a.b.c",
    "..",
    "....",
    "eyJhbGciOiJub25lIn0.e30.",
    "eyJhbGciOiJub25lIn0.e30",
    "~~",
    "%",
    "%zz",
    "٣",
)
JSONS: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e308, 10**30, "", "\x00", "\ud800", [], {}, [[]], [{}], {"": None}, [None],
    MARK, "A" * 2000,
)  # fmt: skip
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/jwt",
    "application/json; charset=\xff",
    "",
    "//;;==",
)
METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "TRACE",
    "QUERY",
    "get",
    "X" * 40,
)
HEADERS = (
    "Authorization", "Cookie", "DPoP", "Content-Type", "Origin", "Accept", "Accept-Language", "Range",
    "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "If-None-Match", "User-Agent",
    "If-Modified-Since", "Content-Encoding", "Expect", "Referer", "X-Client-Cert", "Client-Cert", "Signature",
)  # fmt: skip
FRAMES = (
    [("Content-Length", "-1")],
    [("Content-Length", "99999999999999999999")],
    [("Content-Length", "10")],
    [("Content-Length", "5"), ("Content-Length", "6")],
    [("Content-Length", "+3")],
    [("Transfer-Encoding", "chunked")],
    [("Transfer-Encoding", "chunked, chunked")],
    [("Transfer-Encoding", "gzip")],
    [("Transfer-Encoding", "chunked"), ("Content-Length", "3")],
    [],
)


class Mutator:
    """The next hostile request."""

    def __init__(self, random: Random, seeds: Seeds) -> None:
        self.random, self.seeds = random, seeds

    def next(self) -> Sent:
        """A sample spoilt in one to three ways, or a route with nothing good in it."""
        sample = self.random.choice(self.seeds.samples)
        sent = deepcopy(sample) if self.random.random() < 0.6 else self.stray()
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            self.spoil(sent)
        return sent

    def stray(self) -> Sent:
        """Any route, with the cookies, headers and fields of some sample."""
        method, rule = self.random.choice(self.seeds.routes)
        path = "/".join(self.segment(part) for part in rule.split("/"))
        near = self.random.choice(self.seeds.samples)
        sent = Sent(method, path, headers=list(near.headers))
        if method in {"POST", "PUT", "PATCH"}:
            sent.form, sent.body = deepcopy(near.form), near.body
        else:
            sent.query = list(near.query)
        return sent

    def segment(self, part: str) -> str:
        """Of a path: a variable gets a real value, or a hostile one."""
        if not part.startswith("<"):
            return part
        name = part.strip("<>").rpartition(":")[2]
        real = self.seeds.values.get(name)
        if real and self.random.random() < 0.6:
            return real
        return quoted(self.value())

    def value(self, good: str = "") -> str:
        """Something else: hostile, of another kind, or the good one bent."""
        draw = self.random.random()
        if draw < 0.35 or not self.seeds.values:
            return self.random.choice(HOSTILE)
        if draw < 0.55:
            return self.random.choice(list(self.seeds.values.values()))
        return self.bent(good or self.random.choice(list(self.seeds.values.values())))

    def bent(self, good: str) -> str:
        """A good value with one thing wrong, in its structure where it has one."""
        if good.count(".") == 2 and self.random.random() < 0.6:
            return self.jwt(good)
        if good[:1] in {"{", "["} and self.random.random() < 0.7:
            return self.json(as_bytes(good)).decode("utf-8", "surrogateescape")
        place = self.random.randrange(len(good) + 1)
        other = self.random.choice(HOSTILE)[:100]
        return self.random.choice(
            (
                good[:place],
                good[place:],
                good + good,
                good[:place] + other + good[place:],
                good[:place] + chr(self.random.randrange(1, 0x3000)) + good[place + 1 :],
                good.upper(),
                good + "=",
                f" {good}",
                ",".join([good] * 5),
            )
        )

    def jwt(self, good: str) -> str:
        """Header or payload changed; the signature stays, or goes."""
        parts = good.split(".")
        number = self.random.randrange(2)
        try:
            raw = urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4))
        except ValueError:
            return good[:-1]
        parts[number] = urlsafe_b64encode(self.json(raw)).decode().rstrip("=")
        if self.random.random() < 0.2:
            parts[2] = ""
        return ".".join(parts)

    def json(self, raw: bytes) -> bytes:
        """One member of a document replaced; bytes bent where it is none."""
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            return raw[: self.random.randrange(len(raw) + 1)] + b"\xff"
        holder = {"": document}
        inner: Any = holder
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = self.random.choice(keys)
            deeper = isinstance(inner[key], dict | list) and inner[key]
            if deeper and self.random.random() < 0.8:
                inner = inner[key]
                continue
            text = inner[key] if isinstance(inner[key], str) else ""
            inner[key] = self.random.choice((self.random.choice(JSONS), self.value(text)))
            break
        written = json.dumps(holder[""], ensure_ascii=self.random.random() < 0.5)
        return written.encode("utf-8", "surrogatepass")

    def spoil(self, sent: Sent) -> None:
        """One way, of those that fit it."""
        ways = [self.headers, self.method, self.path]
        ways += [self.query] * 4 + [self.body] * 6
        if self.random.random() < 0.05:
            ways = [self.framing, self.huge]
        self.random.choice(ways)(sent)

    def query(self, sent: Sent) -> None:
        self.pairs(sent.query)

    def body(self, sent: Sent) -> None:
        if sent.form is not None:
            self.pairs(sent.form)
        elif sent.body:
            sent.body = self.json(sent.body)
        else:
            self.pairs(sent.query)

    def pairs(self, pairs: Pairs) -> None:
        """A field changed, renamed, repeated, left out or added."""
        if not pairs or self.random.random() < 0.1:
            name = self.random.choice(
                ("claims", "request", "request_uri", "lang", "x", MARK, "\x00")
            )
            pairs.append((name, self.value()))
            return
        place = self.random.randrange(len(pairs))
        name, good = pairs[place]
        draw = self.random.random()
        if draw < 0.7:
            pairs[place] = (name, self.value(good))
        elif draw < 0.8:
            pairs.append((name, self.value(good)))
        elif draw < 0.9:
            del pairs[place]
        else:
            pairs[place] = (self.value(name)[:200], good)

    def headers(self, sent: Sent) -> None:
        if sent.headers and self.random.random() < 0.6:
            place = self.random.randrange(len(sent.headers))
            name, good = sent.headers[place]
            scheme, space, rest = good.rpartition(" ")
            changed = f"{scheme}{space}{one_line(self.value(rest))}"
            sent.headers[place] = (name, changed)
            if self.random.random() < 0.2:
                sent.headers.append((name, good))
            return
        name = self.random.choice(HEADERS)
        value = self.random.choice(TYPES) if name == "Content-Type" else self.value()
        sent.headers.append((name, one_line(value)))

    def method(self, sent: Sent) -> None:
        sent.method = self.random.choice(METHODS)

    def path(self, sent: Sent) -> None:
        parts = sent.path.split("/")
        place = self.random.randrange(1, len(parts))
        parts[place] = quoted(self.value(parts[place]))[:6000]
        sent.path = "/".join(parts)

    def framing(self, sent: Sent) -> None:
        sent.frame = False
        sent.headers += self.random.choice(FRAMES)

    def huge(self, sent: Sent) -> None:
        size = self.random.choice((70_000, 300_000, 2_000_000))
        if self.random.random() < 0.5:
            sent.form = [("a", "x" * size)]
        else:
            sent.form = [(f"f{number}", "") for number in range(size // 50)]


def one_line(text: str) -> str:
    """A header's value: most servers refuse a line break before we see it, so it comes seldom."""
    return text.replace("\r\n", " ")[:8000]


def quoted(text: str) -> str:
    """For a path: percent-encoded where a raw byte would end the request line."""
    raw = as_bytes(text)
    return "".join(
        chr(one) if 0x21 <= one < 0x7F and one not in b"?#" else f"%{one:02X}" for one in raw
    )
