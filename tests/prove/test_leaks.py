"""Every task that was planted to leak is found, and what it does is named."""

import pytest

from tasks import registry
from tasks.proof.prover import prove
from tasks.proof.report import LeakKind, Verdict
from tasks.proof.runner import Runner
from tests.databases import Database
from tests.prove import leaky_tasks

TASKS = leaky_tasks.NAME

ALL_NOTES = """
    create function app.all_notes() returns setof text language sql security definer
    set search_path = pg_catalog, pg_temp
    as 'select body from app.notes';
    grant execute on function app.all_notes() to partywall_worker;
"""


@pytest.mark.parametrize(
    ("task_name", "kind", "what"),
    [
        ("leaky.reads_a_board", LeakKind.READ, "read app.board of the other tenant"),
        ("leaky.awaits_a_board", LeakKind.READ, "read app.board of the other tenant"),
        ("leaky.writes_for_others", LeakKind.WROTE, "changed rows of the other tenant in app.board"),
        ("leaky.shares", LeakKind.SHARED, "left a value of the payload in app.cache, which all tenants see"),
        ("leaky.remembers", LeakKind.KEPT, "the result of its job holds a value of app.notes of the other tenant"),
        ("leaky.copies", LeakKind.KEPT, "a row of app.notes holds a value of app.notes of the other tenant"),
        ("leaky.goes_back", LeakKind.ENTERED, "entered the other tenant with a token kept from an earlier job"),
        ("leaky.connects", LeakKind.LEFT, "left a connection of its own to PostgreSQL open"),
        ("leaky.logs", LeakKind.LOG, "a value of app.notes is in the log"),
        ("leaky.logs_its_payload", LeakKind.LOG, "its payload is in the log"),
        ("leaky.prints_its_token", LeakKind.LOG, "a token is in the log"),
        ("leaky.sends_its_token", LeakKind.BROKER, "sent the token of a job to the broker"),
        ("leaky.shows_in_flower", LeakKind.BROKER, "sent a value of the payload to the broker"),
        ("leaky.publishes_data", LeakKind.BROKER, "sent a value of the payload to the broker"),
        ("leaky.publishes_data", LeakKind.BROKER, "sent its payload to the broker"),
        (
            "leaky.publishes_for_nobody",
            LeakKind.MESSAGE,
            "published good.reads on queue default without a tenant",
        ),
    ],
)
def test_a_leak_is_found_and_named(runner: Runner, task_name: str, kind: LeakKind, what: str) -> None:
    report = prove(runner, registry.declaration(task_name), examples=2)

    assert report.verdict is Verdict.LEAKS, report
    assert (kind, what) in {(leak.kind, leak.what) for leak in report.leaks}, report


def test_a_function_with_its_owners_rights_is_found(runner: Runner, proven_database: Database) -> None:
    # Made by a superuser, behind every migration's back.
    proven_database.do(ALL_NOTES)
    report = prove(runner, registry.declaration("leaky.reads_through_a_function"), examples=1)
    proven_database.do("drop function app.all_notes()")

    assert "read app.notes of the other tenant" in {leak.what for leak in report.leaks}


def test_a_task_that_always_fails_is_not_proven(runner: Runner) -> None:
    report = prove(runner, registry.declaration("leaky.fails"), examples=1)

    assert (report.verdict, report.reason) == (Verdict.NOT_PROVEN, "RuntimeError: not today")
    assert report.outcomes == {"failed": 2}
