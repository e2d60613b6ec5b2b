"""Attacks that hold B up: rows pinned or locked, locks taken or used up, transactions kept in the way."""

import pytest

from db.migration_lock import LOCK_KEY
from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER, UNCOUNTED_LOCKS, granted

rows = attacks_on("row locks", NO_POLICIES)
locks = attacks_on(
    "advisory locks",
    granted(
        "execute on function pg_advisory_lock(bigint)",
        "execute on function pg_advisory_xact_lock_shared(integer, integer)",
        "execute on function pg_try_advisory_lock(bigint)",
        "execute on function pg_try_advisory_xact_lock(bigint)",
    ),
)
transactions = attacks_on("transactions", SUPERUSER)

ATTACKS = (
    rows("for update", "select from app.notes for update"),
    rows("for share", "select from app.notes where id = '{b_note}' for share"),
    rows("for key share", "select from app.notes where tenant_id = '{b}' for key share"),
    rows("through a join", "select from app.comments as mine join app.notes as theirs on true for update of theirs"),
    rows("through a view", "select from app.note_bodies for update"),
    rows("by an update that changes nothing", "update app.notes set body = body"),
    rows(
        "by a key that B is about to use", "insert into app.accounts (tenant_id, email) values ('{b}', 'new@b.example')"
    ),
    rows("B's jobs", "select from partywall.jobs for share"),
    rows("B itself", "select from partywall.tenants for share"),
    #
    locks("every lock of the server", "select count(pg_advisory_lock(n)) from generate_series(1, 3000000) as n"),
    locks(
        "many, shared, until the transaction ends",
        "select 'took', count(pg_advisory_xact_lock_shared(n, n)) from generate_series(1, 100) as n",
        proof="took | 100",
    ),
    locks(
        "many by name",
        "select 'took', partywall.lock(n::text)::text from generate_series(1, 100) as n",
        opened_by=(UNCOUNTED_LOCKS,),
        proof="took | ",
    ),
    locks("the one to migrate by", f"select 'took', pg_try_advisory_lock({LOCK_KEY})", proof="took | True"),
    locks("a lock of B's by its number", "select 'held', pg_try_advisory_xact_lock({b_lock})", proof="held | False"),
    #
    transactions(
        "prepared and left",
        "insert into app.notes (body) values ('x')",
        "prepare transaction 'left'",
        "select 'may', current_setting('is_superuser')",
        proof="may | on",
    ),
    transactions(
        "B's snapshot",
        "commit",
        "begin isolation level repeatable read",
        "set transaction snapshot '00000003-0000001B-1'",
        "select body from app.notes",
        opened_by=(NO_POLICIES,),
    ),
    transactions(
        "a snapshot for others", "select pg_export_snapshot()", "select body from app.notes", opened_by=(NO_POLICIES,)
    ),
    transactions(
        "replication progress",
        "select 'made', pg_replication_origin_create('spy')",
        "select pg_replication_origin_drop('spy')",
        proof="made | ",
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestHoldingUp(Family):
    """B can work while A's transaction is open, whatever is in it."""
