"""The life of jobs in every order hypothesis thinks of; and that it finds what the fences are for."""

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from db.context import TenantContext
from tests.databases import Database, TestTenant, make_tenant
from tests.db.lifecycle_machine import Lifecycle
from tests.db.notes import create_notes

# The same examples every time: what a change breaks, it breaks for everyone.
STEADY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=40,
    stateful_step_count=60,
)
FINDING = settings(STEADY, phases=[Phase.generate], max_examples=100, print_blob=False)


def play(database: Database, how: settings) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        tenants = tuple(lasting(database, make_tenant(slug)) for slug in ("acme", "zeta"))
        machine = type("LifecycleHere", (Lifecycle,), {"admin": admin, "tenants": tenants})
        run_state_machine_as_test(machine, settings=how)


def lasting(database: Database, tenant: TestTenant) -> TestTenant:
    """Return the tenant with a context that lasts for all the examples."""
    mint = "select partywall_private.mint(:tenant, 'tests/1', interval '1 hour')"
    ((token,),) = database.ask(mint, tenant=tenant.id)
    return TestTenant(tenant.id, tenant.slug, tenant.key, TenantContext.of(str(token)))


@pytest.fixture
def without(own_database: Database) -> Database:
    """A database of the test's own, with the adopter's tables."""
    create_notes(own_database)
    return own_database


def take_out(database: Database, function: str, condition: str) -> None:
    """Replace a function by one that lacks a condition."""
    ((source,),) = database.ask("select pg_get_functiondef(oid) from pg_proc where proname = :name", name=function)
    assert condition in str(source)
    with psycopg.connect(database.admin_url) as admin:
        admin.execute(str(source).replace(condition, "").encode())


def test_every_order_of_events_leaves_each_job_as_the_model_says(database: Database) -> None:
    play(database, STEADY)


@pytest.mark.parametrize(
    ("function", "condition"),
    [
        ("finish", "and jobs.attempt = mine.attempt"),
        ("end_attempt", "and jobs.attempt = end_attempt.number"),
        ("claim", "and jobs.state || '' = 'dispatched'"),
        ("end_attempts", "and jobs.dispatch_nonce = end_attempts.nonce"),
    ],
)
def test_a_fence_that_is_taken_out_is_missed(function: str, condition: str, without: Database) -> None:
    take_out(without, function, condition)

    with pytest.raises(AssertionError):
        play(without, FINDING)
