"""`python -m bench throughput`: compare, draw, judge."""

import dataclasses
from collections.abc import Sequence
from contextlib import closing

from bench.chart import Bars, draw
from bench.load.bare_celery import BareCelery
from bench.load.bare_dramatiq import BareDramatiq
from bench.load.bare_procrastinate import BareProcrastinate
from bench.load.marks import make_bare_table
from bench.load.partywall import Partywall
from bench.load.site import running_site
from bench.report import report
from bench.sizes import sizes_from
from bench.throughput.comparison import Comparison, Sizes

TARGET = "throughput"


def run(arguments: Sequence[str]) -> int:
    """Measure with the sizes of a command line; return 0 when all requirements are met, else 1."""
    sizes, results, _ = sizes_from(arguments, Sizes, target=TARGET)
    with running_site() as site:
        make_bare_table(site)
        with closing(BareProcrastinate(site)) as procrastinate:
            comparison = Comparison(
                site,
                [
                    Partywall(site, tenants=sizes.tenants),
                    BareCelery(site, acks_late=False),
                    BareCelery(site, acks_late=True),
                    BareDramatiq(site),
                    BareDramatiq(site, threads=1),
                    procrastinate,
                ],
                sizes,
            )
            comparison.run()
        postgres = site.ask("show server_version")[0][0]
    rows = comparison.rows()
    code = report(
        TARGET,
        comparison.figures(),
        rows,
        results=results,
        details={
            "postgres": postgres,
            "sizes": dataclasses.asdict(sizes),
            "rounds": {name: [dataclasses.asdict(turn) for turn in turns] for name, turns in comparison.turns.items()},
            "limits": comparison.limits,
        },
    )
    draw(
        results / f"{TARGET}.svg",
        "The same insert, by two worker processes each",
        [
            Bars("jobs a second", [(row["system"], row["jobs/s"]) for row in rows]),
            Bars(
                "milliseconds from accepted to begun on an idle system, median",
                [(row["system"], row["idle p50 ms"]) for row in rows if row["idle p50 ms"] != ""],
            ),
        ],
    )
    return code
