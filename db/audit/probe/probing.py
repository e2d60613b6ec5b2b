"""Playing every attack on every table and view, one transaction each, and telling which were not refused."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from db import sql_files
from db.audit.asking import ask
from db.audit.exemptions import sift
from db.audit.finding import Exemption, Finding
from db.audit.probe.context import OBJECT, impersonate
from db.audit.probe.keys import collide, refer
from db.audit.probe.login import Player, ProbeLoginError, find_player
from db.audit.probe.reading import read, read_as_nobody, read_as_stranger
from db.audit.probe.rows import Rows, UnfillableError
from db.audit.probe.scene import Attack, InconclusiveError, Leak, Scene
from db.audit.probe.shape import Table, load_tables
from db.audit.probe.stage import Stage
from db.audit.probe.standins import StandIn, borrow, borrow_from, that_fit
from db.audit.probe.views import View, look_through
from db.audit.probe.writing import write
from db.audit.probe_checks import NOT_POSSIBLE
from db.bare_connection import bare_connection

CROWD = 40
"""How many tenants are made up. Enough for a table in a dozen partitions by the hash of the tenant."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A table, view or function, and how many attacks were played on it."""

    object: str
    attacks: int


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was attacked, in whose name, and what was not refused."""

    role: str
    probed: Sequence[Probed]
    findings: Sequence[Finding]
    exempted: Sequence[tuple[Finding, Exemption]]
    seconds: float

    @property
    def attacks(self) -> int:
        """How many attacks were played."""
        return sum(each.attacks for each in self.probed)


def probe_database(
    url: str,
    operator_url: str | None,
    *,
    login: str | None = None,
    schemas: Sequence[str] = ("app",),
    exemptions: Sequence[Exemption] = (),
) -> ProbeReport:
    """Play the attacks as the login of `url`, or as `login` where `url` is a superuser's.

    A superuser makes the two tenants it needs inside each transaction; for everybody else `operator_url` makes them,
    and rolls back. Nothing is committed but transactions that wrote nothing. Sequences that were drawn from stay ahead.

    Raises:
        ProbeLoginError: the DSN is not that login's, and not a superuser's.
    """
    started = time.perf_counter()
    with bare_connection(url) as connection:
        player = find_player(connection, login)
        probe = _Probe(connection, player, operator_url, exemptions)
        found = list(probe.run(schemas))
    left, exempted = sift(found, exemptions)
    return ProbeReport(
        role=player.name,
        probed=probe.probed,
        findings=sorted(left, key=lambda each: each.order),
        exempted=exempted,
        seconds=time.perf_counter() - started,
    )


@dataclass(slots=True)
class _Probe:
    connection: Connection
    player: Player
    operator_url: str | None
    exemptions: Sequence[Exemption]
    probed: list[Probed] = field(default_factory=list)
    crowd: list[StandIn] = field(init=False)
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        # Two would do, were it not for partitions that the hash of a tenant's id decides about.
        self.crowd = self._borrow()
        lent = None if self.player.is_superusers else (self.crowd[0], self.crowd[1])
        self.stage = Stage(self.connection, self.player, lent)

    def _borrow(self) -> list[StandIn]:
        if self.player.is_superusers:
            return borrow_from(self.connection, CROWD)
        if self.operator_url is None:
            raise ProbeLoginError(
                "somebody has to make two tenants",
                hint="Set PARTYWALL_OPERATOR_DATABASE_URL, or give the DSN of a superuser.",
            )
        return borrow(self.operator_url, CROWD)

    def run(self, schemas: Sequence[str]) -> Iterator[Finding]:
        rows = self._ask("tables", schemas)
        shown = self._ask("views", schemas)
        shared = {each.object for each in self.exemptions if each.check is None and each.part is None}
        attacked = {row.oid: row for row in rows if row.name not in shared}
        tables = load_tables(self.connection, {*attacked, *(oid for view in shown for oid in view.tables)})
        self.connection.rollback()

        yield from self._play(OBJECT, impersonate(self.stage, (self.crowd[0], self.crowd[1])))
        for oid, row in attacked.items():
            attacks = self._attack if row.is_reachable else self._knock
            yield from self._play(row.name, attacks(tables[oid], row.name, tables))
        for view in shown:
            yield from self._play(view.name, self._look_through(View(view.name, view.tables), tables))

    def _ask(self, name: str, schemas: Sequence[str]) -> Sequence[Row[Any]]:
        query = sql_files.read(f"audit/probe/{name}.sql").text
        return ask(self.connection, query, schemas=schemas, logins=[self.player.name])

    def _play(self, about: str, attacks: Attack) -> Iterator[Finding]:
        before = self.stage.attacks
        try:
            for leak in attacks:
                yield self._finding(about, leak)
        except UnfillableError as error:
            yield self._finding(about, Leak(NOT_POSSIBLE, f"could not be filled: {error}"))
        except InconclusiveError as error:
            yield self._finding(about, Leak(NOT_POSSIBLE, f"did not answer: {error}"))
        finally:
            self.stage.end()
        self.probed.append(Probed(about, self.stage.attacks - before))

    def _attack(self, table: Table, name: str, tables: dict[int, Table]) -> Attack:
        a, b = self.stage.begin(that_fit(self.connection, table, self.crowd))
        yield from read_as_nobody(self.stage, table, "before any tenant was entered")
        scene = Scene(self.stage, Rows(self.stage, tables), table, a, b)
        try:
            scene.filled(a)
            scene.filled(b)
        except UnfillableError:
            # What others have put there already can leak all the same.
            yield from read_as_stranger(self.stage, table, a)
            raise
        yield from read(scene)
        yield from write(scene)

        def is_allowed(check: str, part: str | None) -> bool:
            return any(
                each.object == name and each.check == check and each.part in (None, part) for each in self.exemptions
            )

        yield from refer(scene, is_allowed)
        yield from collide(scene, is_allowed)

    def _knock(self, table: Table, name: str, tables: dict[int, Table]) -> Attack:
        """Try a table that the login has no right to at all: it cannot be filled, and need not be."""
        a, _ = self.stage.begin()
        yield from read_as_nobody(self.stage, table, "before any tenant was entered")
        yield from read_as_stranger(self.stage, table, a)

    def _look_through(self, view: View, tables: dict[int, Table]) -> Attack:
        pair = self.stage.begin()
        rows = Rows(self.stage, tables)
        yield from look_through(self.stage, rows, view, [tables[oid] for oid in view.tables], pair)

    def _finding(self, about: str, leak: Leak) -> Finding:
        return Finding(
            check=leak.check.id,
            severity=leak.check.severity,
            object=about,
            part=leak.part,
            role=self.player.name,
            message=leak.words,
            why=leak.check.why,
            fix=None,
            fixed_by=leak.check.fixed_by,
        )
