"""Looking through views: what another tenant writes must not change what they show."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.audit.probe import statements
from db.audit.probe.rows import Rows
from db.audit.probe.scene import Attack, Leak, refuse_doubt
from db.audit.probe.shape import Table
from db.audit.probe.stage import Answer, Stage
from db.audit.probe.standins import Pair, StandIn
from db.audit.probe_checks import NOT_POSSIBLE, VIEW


@dataclass(frozen=True, slots=True)
class View:
    """A view that the login may read, and the tenant tables beneath it."""

    name: str
    tables: Sequence[int]


def look_through(stage: Stage, rows: Rows, view: View, tables: Sequence[Table], pair: Pair) -> Attack:
    """Compare what the view shows before and after tenant B has rows beneath it.

    It need not show whose a row is, or rows at all: a count changes, too.
    """
    a, b = pair
    for table in tables:
        rows.of(table, a)
    before = [_seen(stage, view, tenant) for tenant in (a, None)]
    if before != [_seen(stage, view, tenant) for tenant in (a, None)]:
        yield Leak(NOT_POSSIBLE, "shows something else each time it is asked, so nothing can be compared")
        return
    for table in tables:
        rows.of(table, b)
    after = [_seen(stage, view, tenant) for tenant in (a, None)]
    for who, earlier, later in zip(("as tenant A", "with an empty token"), before, after, strict=True):
        if earlier != later:
            yield Leak(VIEW, f"{who}, it shows something else once tenant B has rows")


def _seen(stage: Stage, view: View, tenant: StandIn | None) -> Answer:
    stage.enter(tenant)
    answer = stage.attack(*statements.fingerprint(view.name))
    refuse_doubt(answer)
    return answer
