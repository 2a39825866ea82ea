"""Officials in an LDAP server: sessions on pooled connections, replicas in turn, one deadline for all."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from idp.errors import OutsideError
from idp_ldap.filters import Filter
from idp_ldap.link import Account, Link, LinkBroken, open_link
from idp_ldap.pool import Pool
from idp_ldap.searching import Answer, Scope, Server
from idp_ldap.settings import LdapSettings, read_password
from idp_ldap.wire import Address, Deadline, OutOfTime, tls_context


class Replicas:
    """Servers with the same entries; the one that answered last is asked first."""

    def __init__(self, settings: LdapSettings) -> None:
        self._source = settings.name
        self._addresses = [
            Address.of(url, plain=settings.plain_on_loopback) for url in settings.urls
        ]
        self._account = Account(
            settings.name, settings.bind_dn, read_password(settings.bind_password_file)
        )
        self._context = tls_context(settings.ca_file)
        self._preferred = 0  # a race for it only costs a try

    def open(self, deadline: Deadline) -> Link:
        """A bound connection to the first that gives one. OutsideError."""
        count = len(self._addresses)
        fault: OutsideError = OutsideError(self._source, "out of time")
        for turn in range(count):
            number = (self._preferred + turn) % count
            try:
                until = deadline.part(1 / (count - turn))
                link = open_link(self._addresses[number], self._account, self._context, until)
            except OutOfTime:
                break
            except LinkBroken as error:
                fault = error
                continue
            self._preferred = number
            return link
        raise fault

    def ask_each(self, timeout_s: float) -> list[Server]:
        """Every server by itself, so that one that would fail the day it is needed is known before."""
        return [self._ask(address, Deadline.after(timeout_s)) for address in self._addresses]

    def _ask(self, address: Address, deadline: Deadline) -> Server:
        try:
            link = open_link(address, self._account, self._context, deadline)
        except (OutsideError, OutOfTime) as error:
            return Server(f"{address.host}:{address.port}", None, str(error))
        try:
            return Server(f"{address.host}:{address.port}", link.certificate, "")
        finally:
            link.close()


class RemoteDirectory:
    """Fulfils `Searcher`. Connects at the first question and again after every failure."""

    def __init__(self, settings: LdapSettings) -> None:
        self._source = settings.name
        self._timeout_s = settings.timeout_s
        self._replicas = Replicas(settings)
        self._pool = Pool(settings.name, settings.connections, self._replicas.open)
        weakref.finalize(self, self._pool.close)

    @contextmanager
    def session(self) -> Iterator["RemoteSession"]:
        """Searches within `timeout_s`, all in all. OutsideError."""
        deadline = Deadline.after(self._timeout_s)
        self._pool.enter(deadline)
        try:
            session = RemoteSession(self._source, self._pool, deadline)
            try:
                yield session
            finally:
                session.close()
        finally:
            self._pool.leave()

    def servers(self) -> Sequence[Server]:
        """See `Searcher.servers`."""
        return self._replicas.ask_each(self._timeout_s)


class RemoteSession:
    """Fulfils `Session`. A connection that had rested may be dead: then once more on a new one."""

    def __init__(self, source: str, pool: Pool, deadline: Deadline) -> None:
        self._source = source
        self._pool = pool
        self._deadline = deadline
        self._link: Link | None = None

    def search(
        self,
        base: str,
        wanted: Filter,
        attributes: tuple[str, ...],
        *,
        scope: Scope = "sub",
        limit: int,
    ) -> Answer:
        """See `Session.search`."""
        question = (base, wanted, attributes, scope, limit)
        try:
            if self._link is None:
                self._link = self._pool.rested()
                if self._link is not None:
                    # Half the time: a connection cut without a word must leave time for another.
                    answer = self._ask_rested(question, self._deadline.part(0.5))
                    if answer is not None:
                        return answer
                self._link = self._pool.fresh(self._deadline)
            return self._ask(question, self._deadline)
        except OutOfTime as error:
            raise OutsideError(self._source, "out of time") from error

    def _ask_rested(
        self, question: tuple[str, Filter, tuple[str, ...], Scope, int], deadline: Deadline
    ) -> Answer | None:
        try:
            return self._ask(question, deadline)
        except LinkBroken:
            return None

    def _ask(
        self, question: tuple[str, Filter, tuple[str, ...], Scope, int], deadline: Deadline
    ) -> Answer:
        """Ask on the present connection, which is let go of unless it proves sound."""
        base, wanted, attributes, scope, limit = question
        link, self._link = self._link, None
        if link is None:
            raise OutsideError(self._source, "no connection")
        try:
            answer = link.search(
                base, wanted, attributes, scope=scope, limit=limit, deadline=deadline
            )
        except BaseException as error:
            if isinstance(error, OutsideError) and not isinstance(error, LinkBroken):
                self._link = link  # refused, but answered in full
            else:
                self._pool.drop(link)  # an answer may be half read
            raise
        self._link = link
        return answer

    def close(self) -> None:
        """Let the connection rest, if there is a sound one."""
        if self._link is not None:
            self._pool.rest(self._link)
            self._link = None
