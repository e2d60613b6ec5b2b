"""Asking foreign keys and unique indexes, which no policy covers, about another tenant's rows."""

from collections.abc import Callable

from db.audit.probe import statements
from db.audit.probe.scene import Attack, Leak, Scene
from db.audit.probe.search import Values
from db.audit.probe.shape import TENANT_COLUMN
from db.audit.probe.stage import Answer
from db.audit.probe_checks import REFERENCE, UNIQUE

IsAllowed = Callable[[str, str | None], bool]
"""Whether a check is answered by an exemption of this part of the table."""


def refer(scene: Scene, is_allowed: IsAllowed) -> Attack:
    """As tenant A, refer to tenant B's rows of other tables."""
    stage, table = scene.stage, scene.table
    for reference in table.references:
        target = scene.rows.tables[reference.target]
        part = f"constraint {reference.name}"
        if not (reference.own and target.has_tenant) or is_allowed("foreign-key-without-tenant", part):
            continue
        mine = scene.fresh(scene.a)
        if not {name for name, _ in reference.own} & mine.keys():
            continue  # nothing could be referred to, so the column stayed null
        theirs = scene.rows.of(target, scene.b).row
        stage.enter(scene.a)
        crossed = mine | {name: theirs[key] for name, key in reference.own if key in theirs}
        if stage.attack(*statements.insert(table, crossed)).was_done:
            yield Leak(REFERENCE, f"as tenant A, INSERT refers to tenant B's row in {target.name}", part)


def collide(scene: Scene, is_allowed: IsAllowed) -> Attack:
    """As tenant A, insert the values of tenant B's row under its own name."""
    answer = _collision(scene, is_there=True)
    part = f"constraint {answer.constraint}"
    if answer.sqlstate not in ("23505", "23P01") or is_allowed("unique-without-tenant", part):
        return
    if is_allowed("unique-without-tenant", f"index {answer.constraint}"):
        return
    without = _collision(scene, is_there=False)
    if (without.sqlstate, without.constraint) != (answer.sqlstate, answer.constraint):
        yield Leak(UNIQUE, f"as tenant A, INSERT of a value that tenant B has is refused by {answer.constraint}", part)


def _collision(scene: Scene, *, is_there: bool) -> Answer:
    stage, table = scene.stage, scene.table
    copied = _copied(scene)
    with stage.aside():
        if not is_there:
            with stage.as_filler():
                stage.enter(scene.b)
                stage.keep(*statements.delete(table, str(scene.b.tenant_id)))
        stage.enter(scene.a)
        return stage.attack(*statements.insert(table, copied))


def _copied(scene: Scene) -> Values:
    generated = {name for name, column in scene.table.columns.items() if column.is_generated}
    theirs = {name: value for name, value in scene.filled(scene.b).row.items() if name not in generated}
    return theirs | scene.linked(scene.a) | {TENANT_COLUMN: str(scene.a.tenant_id)}
