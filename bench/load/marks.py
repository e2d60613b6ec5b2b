"""What the jobs of a system left behind: a row each, and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.load.site import Site
from bench.million import SETTING_TENANT
from tasks.proof.processes import wait_until

LOOK_SECONDS = 0.1
"""How often is counted. Each time costs a core what some jobs cost."""

OURS = "app.bench_marks"
BARE = "bare.marks"
_MAKE_BARE = (
    "create schema bare",
    f"create table {BARE} (like {OURS} including all)",
    f"alter table {BARE} alter column tenant_id drop default",
    f"alter table {BARE} enable row level security",
    f"create policy own on {BARE} using (tenant_id = {SETTING_TENANT})",
    "grant usage on schema bare to partywall_worker",
    f"grant select, insert on {BARE} to partywall_worker",
)
"""The same table behind the usual recipe, a policy that reads a setting."""


@dataclass(frozen=True)
class Marks:
    """The table of one system's effects."""

    site: Site
    table: str

    def clear(self) -> None:
        """Forget all."""
        self.site.do(f"truncate {self.table}")

    def count(self) -> int:
        """Return how many there are."""
        return int(self.site.ask(f"select count(*) from {self.table}")[0][0])  # noqa: S608 - a constant of this module

    def count_from(self, number: int) -> int:
        """Return how many there are of jobs with this number or a higher one."""
        query = f"select count(*) from {self.table} where number >= :number"  # noqa: S608
        return int(self.site.ask(query, number=number)[0][0])

    def wait_for(self, count: int, *, timeout_seconds: float) -> None:
        """Return when so many are there.

        Raises:
            NotInTimeError: they are not.
        """
        wait_until(
            lambda: self.count() >= count,
            timeout_seconds=timeout_seconds,
            look_seconds=LOOK_SECONDS,
            what=f"{count} rows in {self.table}",
        )

    def moments(self) -> list[float]:
        """Return when each was written, in order, in seconds since 1970."""
        rows = self.site.ask(
            f"select extract(epoch from written_at)::float8 from {self.table} order by 1"  # noqa: S608
        )
        return [moment for (moment,) in rows]

    def starts(self) -> dict[int, float]:
        """Return when each body began, by its job's number."""
        rows = self.site.ask(f"select number, extract(epoch from started_at)::float8 from {self.table}")  # noqa: S608
        return {row[0]: row[1] for row in rows}

    def numbers(self) -> Sequence[tuple[int, float]]:
        """Return the number of each job and when its row was written, in that order."""
        rows = self.site.ask(
            f"select number, extract(epoch from written_at)::float8 from {self.table} order by 2"  # noqa: S608
        )
        return [(number, moment) for number, moment in rows]


def make_bare_table(site: Site) -> None:
    """Make the table of the systems that know no wall."""
    site.do(*_MAKE_BARE)
