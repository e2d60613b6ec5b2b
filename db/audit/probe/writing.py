"""Trying to write into another tenant's rows, or to make them one's own."""

from db.audit.probe import statements
from db.audit.probe.scene import Attack, Leak, Scene, rows_read, rows_written
from db.audit.probe.shape import TENANT_COLUMN
from db.audit.probe_checks import WRITE


def write(scene: Scene) -> Attack:
    """Write as tenant A what only tenant B may, in every way there is."""
    yield from _insert(scene)
    yield from _give_away(scene)
    yield from _take(scene)
    scene.stage.enter(scene.a)
    # Any other answer means that the right is there and something else was in the way.
    if scene.stage.attack(*statements.truncate(scene.table)).sqlstate not in ("42501", "55P03", "57014"):
        yield Leak(WRITE, "as tenant A, TRUNCATE empties the table for everybody")


def _insert(scene: Scene) -> Attack:
    stage, table = scene.stage, scene.table
    # Known to be a row that tenant B could insert: if it is refused, then not for being malformed.
    theirs = scene.fresh(scene.b)
    for tenant, who in ((scene.a, "as tenant A"), (None, "with an empty token")):
        stage.enter(tenant)
        if rows_written(stage.attack(*statements.insert(table, theirs))):
            yield Leak(WRITE, f"{who}, INSERT plants a row in tenant B")
    stage.enter(scene.a)
    copied = stage.copy_in(statements.copy_in(table, theirs), statements.copy_line(theirs))
    if rows_written(copied):
        yield Leak(WRITE, "as tenant A, COPY FROM plants a row in tenant B")


def _give_away(scene: Scene) -> Attack:
    stage, table, b = scene.stage, scene.table, scene.b
    stage.enter(scene.a)
    # With what it refers to, so that no foreign key refuses what the wall should have.
    moved = rows_written(stage.attack(*statements.update_all(table, scene.linked(b))))
    if moved:
        yield Leak(WRITE, "as tenant A, UPDATE without WHERE moves rows to tenant B")
    touched = rows_written(stage.attack(*statements.touch(table, str(b.tenant_id))))
    if touched:
        yield Leak(WRITE, f"as tenant A, UPDATE changes {touched} of tenant B's rows")


def _take(scene: Scene) -> Attack:
    stage, table, a, b = scene.stage, scene.table, scene.a, scene.b
    stage.enter(a)
    # It has a row, even where a policy does not let it see that.
    own = max(1, rows_read(stage.rehearse(*statements.count_of(table, str(a.tenant_id)))))
    taking = stage.attack(*statements.update_all(table, scene.linked(a)))
    if rows_written(taking) > own or taking.sqlstate == "23505":
        yield Leak(WRITE, "as tenant A, UPDATE without WHERE reaches rows of others")
    if rows_written(stage.attack(*statements.delete(table, str(b.tenant_id)))):
        yield Leak(WRITE, "as tenant A, DELETE removes rows of tenant B")
    if rows_written(stage.attack(*statements.delete_all(table))) > own:
        yield Leak(WRITE, "as tenant A, DELETE without WHERE removes rows of others")
    stage.enter(None)
    for statement, name in (
        (statements.update_all(table, {TENANT_COLUMN: str(a.tenant_id)}), "UPDATE"),
        (statements.delete_all(table), "DELETE"),
    ):
        if rows_written(stage.attack(*statement)):
            yield Leak(WRITE, f"with an empty token, {name} reaches rows")
