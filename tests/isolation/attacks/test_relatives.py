"""Attacks through what belongs to a protected table: its partitions, heirs, views, indexes."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER, Weakness

CHILD_OPEN = Weakness(
    "row-level security is off on the children alone",
    ("alter table app.events_2026 disable row level security", "alter table app.reminders disable row level security"),
    ("alter table app.events_2026 enable row level security", "alter table app.reminders enable row level security"),
)
OWNERS_VIEW = Weakness(
    "a view reads as its owner, on whom nothing is forced",
    (
        "alter view app.note_bodies set (security_invoker = false)",
        "alter table app.notes no force row level security",
    ),
    (
        "alter view app.note_bodies set (security_invoker = true)",
        "alter table app.notes force row level security",
    ),
)

partition = attacks_on("partitions", CHILD_OPEN)
heir = attacks_on("inheritance", CHILD_OPEN)
view = attacks_on("views", OWNERS_VIEW)
matview = attacks_on("materialized views and foreign tables", SUPERUSER)

ATTACKS = (
    partition("a partition read directly", "select body from app.events_2026"),
    partition(
        "a partition written directly",
        "insert into app.events_2026 (tenant_id, month, body) values ('{b}', '2026-05-01', 'x')",
    ),
    partition("emptied directly", "delete from app.events_2026"),
    partition("given away directly", "update app.events_2026 set tenant_id = '{b}'"),
    partition(
        "a partition read through the parent",
        "select body, tableoid::regclass from app.events",
        opened_by=(NO_POLICIES,),
    ),
    partition("a row moved to another", "update app.events set month = '2027-03-01'", opened_by=(NO_POLICIES,)),
    partition(
        "attached",
        "create table public.part (like app.events)",
        "alter table app.events attach partition public.part for values from ('2031-01-01') to ('2032-01-01')",
        opened_by=(SUPERUSER,),
    ),
    #
    heir("an heir read directly", "select body from app.reminders"),
    heir(
        "an heir read through the parent",
        "select body from app.notes where tableoid = 'app.reminders'::regclass",
        opened_by=(NO_POLICIES,),
    ),
    heir("read without the heirs", "select body from only app.notes", opened_by=(NO_POLICIES,)),
    heir("an heir written directly", "update app.reminders set body = 'overwritten'"),
    heir("disowned", "alter table app.reminders no inherit app.notes", opened_by=(SUPERUSER,)),
    #
    view("read", "select body from app.note_bodies"),
    view("read with a condition", "select body from app.note_bodies where id = '{b_note}'"),
    view("a view on a view", "select 'all', count(*) from app.note_sizes"),
    view("written through", "update app.note_bodies set body = 'overwritten'", opened_by=(NO_POLICIES,)),
    view("deleted through", "delete from app.note_bodies where id = '{b_plain_note}'", opened_by=(NO_POLICIES,)),
    view("a condition that quotes", "select id from app.note_bodies where body::integer = 1"),
    view(
        "made the owner's",
        "alter view app.note_bodies reset (security_invoker)",
        "select body from app.note_bodies",
        opened_by=(SUPERUSER,),
    ),
    #
    matview("made", "create materialized view public.all_notes as select * from app.notes", opened_by=(SUPERUSER,)),
    matview(
        "refreshed", "create materialized view app.all_notes as select 1", "refresh materialized view app.all_notes"
    ),
    matview(
        "a foreign table",
        "create foreign data wrapper w",
        "create server s foreign data wrapper w",
        "create foreign table public.t (id integer) server s",
    ),
    matview(
        "a schema imported",
        "create foreign data wrapper w",
        "create server s foreign data wrapper w",
        "import foreign schema x from server s into public",
    ),
    matview(
        "an index checked for what is in it",
        "create extension amcheck",
        "create extension pageinspect",
        "reindex table app.notes",
        "cluster app.notes using notes_pkey",
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestRelatives(Family):
    """None of them is a way round the table's policies."""
