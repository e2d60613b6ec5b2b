"""`partywall`: every command of the command line."""

import typer

from cli import (
    cancel,
    check,
    enqueue,
    flow,
    jobs,
    keys,
    limits,
    migrate,
    retry,
    tenants,
    tiers,
    top,
    up,
    version,
    why,
    workers,
)
from cli.audit import command as audit
from cli.demo import command as demo
from cli.group import Group
from cli.prove import command as prove

app = typer.Typer(
    name="partywall",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # the edge is in cli/group.py
    help="Background jobs for teams whose customers share one PostgreSQL database.",
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, 4 unreachable. Every command knows --json.",
)

app.add_typer(tenants.app, name="tenants")
app.add_typer(tiers.app, name="tiers")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
# Here, because they need what jobs.py and tenants.py find.
for command in (cancel.cancel, retry.retry, why.why):
    jobs.app.command()(command)
for act in (top.top, flow.pause, flow.drain, limits.limit, tiers.tier):
    tenants.app.command()(act)
app.command()(enqueue.enqueue)
for module in (workers, migrate, check, audit, prove, up, demo, version):
    module.register(app)
