"""The demo's proofs have teeth: on a database whose wall was taken down, each of them fails."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from cli.demo import wall
from cli.demo.checks import Check, for_each
from cli.demo.tally import TenantTally
from cli.demo.tenants import DemoTenant
from tests.databases import Database, TestTenant

ORDER = """
    insert into app.orders (
        tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at, sku, description, quantity,
        unit_price
    )
    values (:tenant, sha256(''), 2, 2, 'SO-1', 'C-1', now(), 'S', '', 2, 1.25)
"""

Pair = tuple[DemoTenant, DemoTenant]


@pytest.fixture
def pair(database: Database, new_tenant: Callable[[str], TestTenant]) -> Pair:
    """Two tenants with one order each."""
    made = [new_tenant(slug) for slug in ("acme", "zeta")]
    for each in made:
        database.do(ORDER, tenant=each.id)
    mine, other = (DemoTenant(name=each.slug.title(), slug=each.slug, id=each.id, key=each.key) for each in made)
    return mine, other


def tried(mine: DemoTenant, other: DemoTenant) -> list[Check]:
    tally = TenantTally(whole_rows=1, rows_imported=1, revenue=Decimal("2.50"))
    return [
        wall.sees_its_own_rows(mine, other, tally),
        wall.made_up_token_is_refused(mine, other),
        wall.swapped_token_is_refused(mine, other),
        wall.rows_cannot_be_given_away(mine, other),
        wall.no_tenant_is_an_error(),
    ]


def test_every_proof_holds_where_the_wall_stands(pair: Pair) -> None:
    assert [check for check in tried(*pair) if not check.passed] == []


def test_every_proof_fails_where_the_wall_is_down(pair: Pair, database: Database) -> None:
    database.do("alter table app.orders disable row level security")

    assert [check for check in tried(*pair) if check.passed] == []


def test_a_row_that_was_lost_or_gained_is_noticed(pair: Pair) -> None:
    mine, other = pair

    for imported in (0, 2):
        tally = TenantTally(whole_rows=1, rows_imported=imported, revenue=Decimal("2.50"))
        assert not wall.sees_its_own_rows(mine, other, tally).passed


def test_a_row_worth_something_else_is_noticed(pair: Pair) -> None:
    mine, other = pair
    tally = TenantTally(whole_rows=1, rows_imported=1, revenue=Decimal("2.51"))

    assert not wall.sees_its_own_rows(mine, other, tally).passed


def test_one_failure_among_many_fails_them_all_and_is_the_one_told() -> None:
    results = [Check("acme", True, "fine"), Check("zeta", False, "saw a row of acme"), Check("kumo", True, "fine")]

    together = for_each("each tenant", results)

    assert (together.passed, together.count, together.answer) == (False, "2/3", "zeta: saw a row of acme")
