"""A TCP proxy of our own on loopback that can be made to fail in the ways networks and servers do."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum

CHUNK = 65536


class Fault(StrEnum):
    """What may be wrong between us and a server."""

    NONE = "none"
    STOPPED = "stopped"  # nobody listens; what was open is gone
    SLOW = "slow"  # each answer comes late
    DRIP = "drip"  # an octet at a time
    HALF_OPEN = "half-open"  # everything is accepted, nothing is answered
    RESET = "reset"  # the connection breaks in the middle of an answer


class Proxy:
    """Listens at `port` and leads to `target`. Set `fault` at any time; what is open obeys too."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.slow_s = 5.0
        self.answers = 0  # how many pieces came back from the server
        self.on_answer: Callable[[], None] | None = None  # before each of them goes on
        self._fault = Fault.NONE
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._serve(self._listener)

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        before, self._fault = self._fault, fault
        if fault is Fault.STOPPED:
            self._hush()
            self.cut()
        elif before is Fault.STOPPED:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._serve(self._listener)
        if fault is Fault.NONE:
            self.cut()  # what hung there goes on hanging for nobody

    def cut(self) -> None:
        """End every open connection."""
        with self._lock:
            victims, self._open = list(self._open), set()
        for victim in victims:
            _end(victim)

    def close(self) -> None:
        """Stop for good."""
        self._hush()
        self.cut()

    def _hush(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, listener: socket.socket) -> None:
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            for here, there, answers in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(here, there, answers), daemon=True
                ).start()

    def _pump(self, here: socket.socket, there: socket.socket, answers: bool) -> None:  # noqa: FBT001
        try:
            while octets := here.recv(CHUNK):
                if answers:
                    self.answers += 1
                    if self.on_answer is not None:
                        self.on_answer()
                    self._answer(there, octets)
                elif self._fault is not Fault.HALF_OPEN:
                    there.sendall(octets)
        except OSError:
            pass
        for one in (here, there):
            _end(one)
            with self._lock:
                self._open.discard(one)

    def _answer(self, there: socket.socket, octets: bytes) -> None:
        match self._fault:
            case Fault.HALF_OPEN:
                return
            case Fault.SLOW:
                time.sleep(self.slow_s)
            case Fault.DRIP:
                for at in range(len(octets)):
                    there.sendall(octets[at : at + 1])
                    time.sleep(0.4)
                return
            case Fault.RESET:
                there.sendall(octets[: max(1, len(octets) // 2)])
                linger = struct.pack("ii", 1, 0)
                there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                there.close()
                raise ConnectionResetError
            case _:
                pass
        there.sendall(octets)


def _end(victim: socket.socket) -> None:
    with contextlib.suppress(OSError):
        victim.shutdown(socket.SHUT_RDWR)
    victim.close()


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to that port of loopback, closed at the end."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
