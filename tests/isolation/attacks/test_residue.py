"""What stays open, and is named on docs/explanation/security-model.md. Each is shown, so that a change is noticed.

Most of it is closed to a job's body, which is not let send such a statement; the database alone would take it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest

from db.roles import Role
from tests.isolation.attacks.attack import Attack
from tests.isolation.attacks.doors import Door, after_commit, as_a_body, plain
from tests.isolation.attacks.evidence import Evidence
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.weak_field import restore_roles

Learnt = Callable[[Field, Evidence], bool]


@dataclass(frozen=True)
class Residue:
    """SQL that learns or does something across the wall. `learnt` tells from the evidence that it did."""

    name: str
    sql: tuple[str, ...]
    learnt: Learnt
    open_to_bodies: bool = True
    door: Door = plain

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def works(self, field: Field, door: Door) -> bool:
        evidence = Evidence()
        door(field, evidence, Attack(name=self.name, sql=self.sql, route="").statements(field.facts))
        return self.learnt(field, evidence)


def number_above(least: int) -> Learnt:
    return lambda field, evidence: any(
        float(word) >= least for word in evidence.text.replace("|", " ").split() if word.replace(".", "").isdigit()
    )


def says(text: str) -> Learnt:
    return lambda field, evidence: text.format(**field.facts) in evidence.text


_LIST_ONE = "register_worker(partywall.uuid7(), 'x', 1, 'x', array['default'], 256, 'x', null)"

RESIDUES = (
    Residue("sizes of tables", ("select pg_relation_size('app.notes')",), number_above(100_000)),
    Residue(
        "rows that the planner counts",
        ("select reltuples::bigint from pg_class where oid = 'app.notes'::regclass",),
        number_above(1237),
    ),
    Residue("transactions that the server counts", ("select pg_current_xact_id()::text",), number_above(100)),
    Residue(
        "estimates of a plan",
        ("explain select from only app.notes where amount = 0",),
        lambda field, evidence: re.search("rows=[0-9]{3}", evidence.text) is not None,
        open_to_bodies=False,
    ),
    Residue(
        "rows that a plan removed",
        ("explain (analyze, timing off, summary off, costs off) select from app.notes where amount = -1",),
        lambda field, evidence: "how many rows" in evidence.found_in({}),
        open_to_bodies=False,
    ),
    Residue(
        "which locks there are",
        (
            """
            select (classid::bigint << 32) | objid::bigint
            from pg_locks
            where locktype = 'advisory' and pid <> pg_backend_pid()
            """,
        ),
        says("{b_lock}"),
    ),
    Residue(
        "whose backend holds a lock",
        ("select pid from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()",),
        says("{b_pid}"),
    ),
    Residue(
        "rows of the table of locks",
        (
            *(each for n in range(9) for each in (f"savepoint s{n}", "insert into app.notes (body) values ('x')")),
            "select 'held', count(*) from pg_locks where locktype = 'transactionid' and pid = pg_backend_pid()",
        ),
        says("held | 10"),
    ),
    Residue(
        "a table locked for all",
        ("lock table app.accounts in access exclusive mode nowait",),
        lambda field, evidence: not evidence.shape[-1].startswith("error"),
        open_to_bodies=False,
    ),
    Residue(
        "random numbers that follow a seed",
        ("select setseed(0.5)", "commit", "discard all", "select random()"),
        lambda field, evidence: evidence.shape[-1].startswith("0.985"),
        door=plain,
    ),
    Residue(
        "processes that are not there",
        (f"select 'listed', partywall.{_LIST_ONE}::text",),
        lambda field, evidence: evidence.shape[-1].startswith("listed"),
    ),
    Residue(
        "whether a slug is taken, without a context",
        ("select from partywall.tenants where slug = '{b_slug}'",),
        says("no tenant"),
        open_to_bodies=False,
        door=after_commit,
    ),
    Residue(
        "an empty table, without a context",
        ("select 'context', coalesce(current_setting('partywall.token', true), '')", "select count(*) from app.drafts"),
        lambda field, evidence: evidence.shape[-2:] == ["context | ", "0"],
        open_to_bodies=False,
        door=after_commit,
    ),
)


@pytest.mark.parametrize("residue", RESIDUES, ids=str)
def test_it_is_still_open(residue: Residue, field: Field) -> None:
    field.refresh()

    assert residue.works(field, residue.door)


@pytest.mark.parametrize("residue", [each for each in RESIDUES if not each.open_to_bodies], ids=str)
def test_a_body_cannot(residue: Residue, field: Field) -> None:
    field.refresh()

    assert not residue.works(field, as_a_body)


def test_a_notification_reaches_whoever_listens(field: Field) -> None:
    """NOTIFY knows no rights. What a tenant may not hear may not be said."""
    url = field.database.url(Role.WORKER)
    with psycopg.connect(url, autocommit=True) as a, psycopg.connect(url, autocommit=True) as b:
        a.execute("listen gossip")
        b.execute("select pg_notify('gossip', 'said by B')")

        assert [heard.payload for heard in a.notifies(timeout=5, stop_after=1)] == ["said by B"]


OWN_LOGIN = (
    "alter role partywall_worker set statement_timeout = '99s'",
    "alter role partywall_worker password 'known'",
)


@pytest.mark.parametrize("statement", OWN_LOGIN)
def test_a_role_may_change_its_own_login_but_a_body_cannot(statement: str, field: Field) -> None:
    """PostgreSQL lets every role set its own defaults and its own password, and offers no way to forbid it."""
    asked = (
        "select rolpassword, (select string_agg(setconfig::text, ' ') from pg_db_role_setting)"
        " from pg_authid where rolname = %s"
    )

    def login() -> object:
        return field.admin.execute(asked, (Role.WORKER.login,)).fetchone()

    before = login()
    as_a_body(field, Evidence(), [statement])
    after_a_body = login()
    try:
        plain(field, Evidence(), [statement])
        after = login()
    finally:
        restore_roles(field)

    assert after_a_body == before != after
