"""The demo, act by act, on a stack that runs."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cli.demo import books, report
from cli.demo.api import Api, Refused
from cli.demo.checks import Check
from cli.demo.cutting import ROWS_PER_PART
from cli.demo.errors import ChecksFailedError
from cli.demo.events import Access, CutDone, Order
from cli.demo.production import produce
from cli.demo.proofs import Proofs
from cli.demo.screen import Screen
from cli.demo.source import Source
from cli.demo.tally import Tally
from cli.demo.tenants import DemoTenant, create_tenants
from cli.stack.home import Home


class Play:
    """One performance: `source` through the stack of `home`, on `screen`."""

    def __init__(self, source: Source, home: Home, screen: Screen) -> None:
        self._source = source
        self._home = home
        self._screen = screen
        settings = home.settings()
        self._api_url = settings["PARTYWALL_API_URL"]
        self._broker_url = settings["PARTYWALL_BROKER_URL"]
        self._flower_url = settings["PARTYWALL_FLOWER_URL"]

    def run(self, *, rejected_file: Path | None) -> list[Check]:
        """Play it and return every check that was made.

        Raises:
            ProducerError, ChecksFailedError: it broke off.
        """
        self._screen.heading("The work")
        tenants, neighbour = self._create_tenants()
        tally = self._produce(tenants)
        rejections = books.rejections(tenants, tally.unassigned)
        self._show_outcome(tenants, tally, rejections, rejected_file)
        checks = self._show("The books", books.compare(self._source, tenants, tally, rejections))
        return checks + self._show(
            "The wall, tried by each tenant against the next one", self._try_the_wall(tenants, neighbour, tally)
        )

    def _create_tenants(self) -> tuple[list[DemoTenant], DemoTenant | None]:
        names = list(self._source.rows_of)
        if len(names) > 1:
            tenants, neighbour = create_tenants(names), None
        else:
            name = "a neighbour" if names != ["a neighbour"] else "another neighbour"
            *tenants, neighbour = create_tenants([*names, name])
        listed = ", ".join(tenant.slug for tenant in tenants[:5]) + (", ..." if len(tenants) > 5 else "")
        self._screen.step(f"{_count(len(tenants), 'tenant')} created, each with an API key: {listed}")
        return tenants, neighbour

    def _produce(self, tenants: Sequence[DemoTenant]) -> Tally:
        parts = self._home.root / "demo" / "parts"
        parts.mkdir(parents=True)
        order = Order(
            api_url=self._api_url,
            source=self._source.path.absolute(),
            directory=parts,
            rows_per_part=ROWS_PER_PART,
            tenants=[Access(name=each.name, slug=each.slug, key=each.key.spell()) for each in tenants],
        )
        tally = Tally({each.slug: self._source.rows_of[each.name] for each in tenants})
        names = {each.slug: each.name for each in tenants}
        self._screen.step("the producer cuts the file, uploads the pieces and enqueues a job for each, over HTTP")
        with self._screen.watching(tally, names) as shown, closing(produce(order)) as events:
            for event in events:
                tally.hear(event)
                shown.refresh()
                if isinstance(event, CutDone):
                    self._screen.step("all of the file is uploaded")
        self._screen.step(f"all jobs have ended ({shown.jobs()})")
        return tally

    def _show_outcome(
        self,
        tenants: Sequence[DemoTenant],
        tally: Tally,
        rejections: Sequence[books.Rejection],
        rejected_file: Path | None,
    ) -> None:
        self._screen.heading("The outcome")
        self._screen.console.print(report.outcome(tenants, tally))
        if rejections:
            self._screen.heading(f"The {_count(len(rejections), 'rejected row')}")
            self._screen.console.print(report.rejected(rejections))
        if len(rejections) > report.MOST_REJECTIONS:
            shown = f"The first {report.MOST_REJECTIONS} of {len(rejections):,}."
            self._screen.line(shown if rejected_file else f"{shown} All of them: --rejected FILE.")
        if rejected_file is not None:
            report.write_rejected(rejected_file, rejections)
            self._screen.line(f"All {len(rejections):,} are in {rejected_file}.")

    def _try_the_wall(self, tenants: Sequence[DemoTenant], neighbour: DemoTenant | None, tally: Tally) -> list[Check]:
        proofs = Proofs(tenants, neighbour, tally, self._home.log("worker"))
        try:
            with Api(self._api_url) as api:
                return [
                    *proofs.inside(),
                    *proofs.over_http(api),
                    *proofs.through_the_broker(api, self._broker_url),
                    *proofs.in_flower(self._flower_url),
                ]
        except Refused as error:
            raise ChecksFailedError("the API refused what its own tenant asked for", answer=error) from error

    def _show(self, heading: str, checks: list[Check]) -> list[Check]:
        self._screen.heading(heading)
        self._screen.checks(checks)
        return checks


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
