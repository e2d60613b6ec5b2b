"""Every function, on a job in every state, does what the table in docs/explanation/job-states.md says."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from db.errors import PartywallError
from db.jobs import JobState
from tests.databases import Database, TestTenant
from tests.db.acts import ACTS
from tests.db.lives import one_in_each_state

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "job-states.md"
UNTOUCHED = "–"

# What changes a job itself, and the two functions through which others do.
CHANGES_JOBS = (
    r"(update|insert into|delete from) partywall\.jobs"
    r"|partywall_private\.(end_attempt|requeue|undo_dispatches_of)\("
)


def table() -> dict[str, dict[str, str]]:
    """Return the page's table: for each function, what it does in each state."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    head = next(row for row in rows if row[0] == "Function")
    return {
        row[0].replace("`", ""): dict(zip(head[1:], row[1:], strict=True))
        for row in rows[rows.index(head) + 2 :]
        if len(row) == len(head)
    }


def chart() -> dict[tuple[str, str], set[str]]:
    """Return the page's arrows, each with the functions that make it."""
    arrows = re.findall(r"^    (\S+) --> (\S+): (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return {(start, end): set(functions.split(", ")) for start, end, functions in arrows}


def what_happens(name: str, database: Database, tenant: TestTenant) -> dict[str, str]:
    """Return what the function does to a job in each state: its new state, a refusal, or another word for it."""
    lives = one_in_each_state(database, tenant)
    act = ACTS[name]
    if act.occasion is not None:
        database.do(act.occasion)
    before = _rows(database)
    said: dict[JobState, str | None] = {}
    for state, life in lives.items():
        try:
            said[state] = act.do(life)
        except PartywallError as refusal:
            said[state] = refusal.sqlstate
    after = _rows(database)

    def seen(state: JobState) -> str:
        job_id = lives[state].job_id
        if job_id not in after:
            return "gone"
        return UNTOUCHED if after[job_id] == before[job_id] else str(after[job_id]["state"])

    return {state.value: said[state] or seen(state) for state in JobState}


def _rows(database: Database) -> dict[object, dict[str, object]]:
    return dict(database.ask("select id, to_jsonb(jobs) from partywall.jobs"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ACTS)
def test_a_function_does_in_every_state_what_the_page_says(name: str, database: Database, acme: TestTenant) -> None:
    assert what_happens(name, database, acme) == table()[name]


def test_the_page_names_every_function_that_changes_a_job(catalog: Database) -> None:
    found = catalog.ask(
        "select proname from pg_proc where pronamespace = 'partywall'::regnamespace and prosrc ~ :changes",
        changes=CHANGES_JOBS,
    )

    named = {name.partition(",")[0] for name in table()}.union(*chart().values())
    assert {name for (name,) in found} - named == set()
    assert set(table()) == set(ACTS)


def test_the_arrows_of_the_chart_are_those_of_the_table() -> None:
    states = set(map(str, JobState))
    arrows: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, cells in table().items():
        function = name.partition(",")[0]
        for state, became in cells.items():
            if became != state and became in states:
                arrows[state, became].add(function)
            if became == "gone":
                arrows[state, "[*]"].add(function)

    assert {arrow: by for arrow, by in chart().items() if arrow[0] != "[*]"} == arrows
