"""Does a pooler clean a session before the next client gets it? Seen by leaving marks, and looking where they stay."""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

PATIENCE_SECONDS = 2.0
"""How long to wait for a marked session to come round."""
LONGEST_ROUND = 256
"""How many transactions one client makes in a row: whatever pool is no larger comes round, also one that rotates."""
CLEAN_TIMES = 5
"""One mark that is gone proves little: a neighbour may have sent its own DISCARD ALL just there."""
STICKY_TURNS = 8
"""Clients that had one session each in all rounds up to this long are taken to have it to themselves."""
ENDED_TIMES = 16
"""If so many clients after each other had a session that nobody had before, sessions end with their client."""

Connect = Callable[[], AbstractContextManager[Connection]]
Keeping = Literal["kept", "cleaned", "unknown"]


def find_keeping(first: Connection, connect: Connect) -> Keeping:
    """Return what became of sessions between clients, `first` and those that `connect` opens.

    "kept" and "cleaned" were seen. "unknown": within two seconds no session came round, as in a pool that is very
    large or busy. A pooler that cleans is known after half a dozen transactions. Nothing is tidied up: what cleans
    sessions takes the marks with it, and what keeps them is not worked with.
    """
    search = _Search(deadline=time.monotonic() + PATIENCE_SECONDS)
    with connect() as second:
        answer = search.among(first, second)
    if answer is None and search.sticky:
        # Lent for as long as a client stays, or by two processes with a pool each: that shows when one leaves.
        answer = search.after_leaving(connect)
    return answer or "unknown"


@dataclass(frozen=True, slots=True)
class _Mark:
    client: int
    value: str


class _Search:
    """Marks by the backend that they were left on. One transaction looks for the last mark, and leaves the next."""

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._marks: dict[int, _Mark] = {}
        self._visited: defaultdict[int, set[int]] = defaultdict(set)
        self._times_clean = 0
        self.sticky = False

    def among(self, *connections: Connection) -> Keeping | None:
        """Return what was seen by clients that take turns, in rounds that get longer."""
        # Turns of one transaction would never meet in a pool that rotates an even number of sessions.
        turns = 1
        while turns <= LONGEST_ROUND:
            for client, connection in enumerate(connections):
                for _ in range(turns):
                    if time.monotonic() > self._deadline:
                        return None
                    if answer := self._visit(connection, client):
                        return answer
            if turns >= STICKY_TURNS and self._each_has_its_own(range(len(connections))):
                self.sticky = True
                return None
            turns *= 2
        return None

    def after_leaving(self, connect: Connect) -> Keeping | None:
        """Return what was seen by clients that come one after the other."""
        client, known = len(self._visited), len(self._marks)
        while time.monotonic() < self._deadline:
            with connect() as connection:
                answer = self._visit(connection, client)
            client += 1
            if answer:
                return answer
            if len(self._marks) - known >= ENDED_TIMES:
                return "cleaned"
        return None

    def _visit(self, connection: Connection, client: int) -> Keeping | None:
        mark = _Mark(client, secrets.token_hex(8))
        backend, found = connection.execute(_LOOK).one()
        connection.execute(_LEAVE, {"value": mark.value})
        connection.commit()
        before = self._marks.get(backend)
        self._marks[backend] = mark
        self._visited[client].add(backend)
        if before is None:
            return None
        if not found:
            self._times_clean += 1
            return "cleaned" if self._times_clean >= CLEAN_TIMES else None
        # Its own mark says nothing: the session may be this client's until it leaves.
        return None if found == before.value and before.client == client else "kept"

    def _each_has_its_own(self, clients: Sequence[int]) -> bool:
        backends = [self._visited[client] for client in clients]
        return all(len(each) == 1 for each in backends) and len(set.union(*backends)) == len(backends)


_LOOK = text("select pg_backend_pid(), current_setting('partywall.trace', true)")
_LEAVE = text("select set_config('partywall.trace', :value, false)")
