"""Trying to see another tenant's rows."""

from db.audit.probe import statements
from db.audit.probe.scene import Attack, Leak, Scene, rows_read
from db.audit.probe.shape import Table
from db.audit.probe.stage import Stage
from db.audit.probe.standins import StandIn
from db.audit.probe_checks import NOT_POSSIBLE, READ


def read_as_nobody(stage: Stage, table: Table, when: str) -> Attack:
    """Read the whole table with no tenant in the transaction."""
    seen = rows_read(stage.attack(*statements.count_all(table)))
    if seen:
        yield Leak(READ, f"{when}, reading shows {_rows(seen)}")
    copied = len(stage.copy_out(statements.copy_out(table)).rows)
    if copied:
        yield Leak(READ, f"{when}, COPY writes out {_rows(copied)}")


def read_as_stranger(stage: Stage, table: Table, tenant: StandIn) -> Attack:
    """Read as a tenant whatever there is of others, also when nobody could put anything there."""
    stage.enter(tenant)
    seen = rows_read(stage.attack(*statements.count_of_others(table, str(tenant.tenant_id))))
    if seen:
        yield Leak(READ, f"as tenant {tenant.name}, reading shows {_rows(seen)} of other tenants")


def read(scene: Scene) -> Attack:
    """Read as tenant A what is there of tenant B, in every way there is."""
    stage, table, a, b = scene.stage, scene.table, scene.a, scene.b
    for tenant in (a, b):
        stage.enter(tenant)
        own = stage.rehearse(*statements.count_of(table, str(tenant.tenant_id)))
        if own.was_done and not own.rows[0][0]:
            yield Leak(NOT_POSSIBLE, f"tenant {tenant.name} does not see its own row, so seeing no other shows nothing")
    stage.enter(None)
    yield from read_as_nobody(stage, table, "with an empty token")
    with stage.aside():
        stage.enter(a)
    yield from read_as_nobody(stage, table, "back at a savepoint before the tenant was entered")
    yield from read_as_stranger(stage, table, a)

    theirs = rows_read(stage.attack(*statements.count_of(table, str(b.tenant_id))))
    if theirs:
        yield Leak(READ, f"as tenant A, asking for tenant B shows {_rows(theirs)}")
    locked = stage.attack(*statements.lock(table, str(b.tenant_id)))
    if locked.rows:
        yield Leak(READ, f"as tenant A, SELECT FOR UPDATE locks {_rows(len(locked.rows))} of tenant B")
    copied = [line for (line,) in stage.copy_out(statements.copy_out(table)).rows if str(b.tenant_id) in line]
    if copied:
        yield Leak(READ, f"as tenant A, COPY writes out {_rows(len(copied))} of tenant B")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
