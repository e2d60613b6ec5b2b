"""Attacks that hold B up: rows pinned or locked, transactions kept in the way."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER

rows = attacks_on("row locks", NO_POLICIES)
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
