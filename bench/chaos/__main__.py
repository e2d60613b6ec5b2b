"""`python -m bench.chaos`: put a system through a seeded storm of faults; exit 1 when it lost, doubled or mixed up."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from bench.chaos import sabotage
from bench.chaos.partywall import Partywall
from bench.chaos.plan import BROKERS, SYSTEMS, Plan
from bench.chaos.result import write
from bench.chaos.seeds import run_each, seeds
from bench.chaos.trial import run
from bench.report import RESULTS
from cli.interruption import interrupted_once


def main() -> int:
    """Run what the command line asks for; return 0 when all requirements are met, else 1."""
    arguments = _arguments()
    results: Path = arguments.results
    plan = _plan(arguments)
    with interrupted_once():
        if arguments.seeds is not None:
            rest = [each for each in sys.argv[1:] if not each.startswith("--seeds=")]
            return run_each(plan, arguments.seeds, rest, results)
        if not (plan.fence and plan.leases) and not arguments.in_copy:
            return sabotage.run_copy(
                [*sys.argv[1:], "--in-copy", f"--results={results.absolute()}"], fence=plan.fence, leases=plan.leases
            )
        if plan.system == "celery":
            from bench.chaos import bare_celery  # Celery's own application, which nobody else shall get to see

            return bare_celery.compare(plan, results)
        return write(plan, run(plan, Partywall), results)


def _plan(arguments: argparse.Namespace) -> Plan:
    fields = {field.name for field in dataclasses.fields(Plan)}
    given: dict[str, Any] = {name: value for name, value in vars(arguments).items() if name in fields}
    plan = Plan(**given | {"fence": arguments.fence == "on", "leases": arguments.leases == "on"})
    # Without a safeguard, and without Partywall, there is nothing to be measured once the faults are over.
    calm = plan.fence and plan.leases and plan.system == "partywall"
    return dataclasses.replace(plan, recovery=plan.recovery and calm)


def _arguments() -> argparse.Namespace:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    for name in ("jobs", "seed", "lease_seconds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(usual, name))
    for name in ("seconds", "drain_seconds", "patience_seconds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    parser.add_argument("--broker", choices=BROKERS, default=usual.broker)
    parser.add_argument("--system", choices=SYSTEMS, default=usual.system)
    parser.add_argument("--fence", choices=("on", "off"), default="on")
    parser.add_argument("--leases", choices=("on", "off"), default="on")
    parser.add_argument("--recovery", action=argparse.BooleanOptionalAction, default=usual.recovery)
    parser.add_argument("--seeds", type=seeds, metavar="FIRST-LAST", help="a run each; written with =")
    parser.add_argument("--in-copy", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
