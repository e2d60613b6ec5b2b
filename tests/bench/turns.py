"""`python -m tests.bench.turns`: a short turn of every system, as JSON, in a process that keeps its tasks to itself."""

import dataclasses
import json
from contextlib import closing

from bench.load.bare_celery import BareCelery
from bench.load.bare_dramatiq import BareDramatiq
from bench.load.bare_procrastinate import BareProcrastinate
from bench.load.marks import make_bare_table
from bench.load.partywall import Partywall
from bench.load.site import running_site
from bench.load.system import System
from bench.throughput.limit import Limit
from bench.throughput.turn import take_turn
from cli.interruption import interrupted_once

JOBS = 20
SINGLES = 3
TENANTS = 3


def main() -> None:
    """Take them and print what each came to."""
    with interrupted_once(), running_site() as site:
        make_bare_table(site)
        with closing(BareProcrastinate(site)) as procrastinate:
            systems: list[System] = [
                Partywall(site, tenants=TENANTS),
                BareCelery(site, acks_late=True),
                BareDramatiq(site),
                procrastinate,
            ]
            turns = {}
            for system in systems:
                taken = take_turn(site, system, jobs=JOBS, singles=SINGLES, tenants=TENANTS)
                turns[system.name] = dataclasses.asdict(taken)
        limit = Limit(site, clients=2).transactions_per_second(seconds=1, tenants=TENANTS)
        written = site.ask("select count(distinct tenant_id) from bare.marks")[0][0]
    print(json.dumps({"turns": turns, "limit": limit, "limit_tenants": written}))  # noqa: T201 - what its test reads


if __name__ == "__main__":
    main()
