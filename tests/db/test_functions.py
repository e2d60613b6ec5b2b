"""The functions in the catalog of a freshly migrated database: who may execute each, and how it is closed."""

from collections.abc import Mapping

from tests.databases import Database

EVERY_SERVICE = {"worker", "api", "dispatcher", "scheduler", "operator"}

EXECUTE: Mapping[str, set[str]] = {
    "admit_call": {"worker"},
    "authenticate": {"api"},
    "cancel_job": {"worker", "api", "operator"},
    "cancel_jobs_of_deleted": {"dispatcher"},
    "claim": {"worker"},
    "create_api_key": {"operator"},
    "create_tenant": {"operator"},
    "current_tenant_id": {"PUBLIC"},
    "delete_tenant": {"operator"},
    "dispatch": {"dispatcher"},
    "end_attempts": {"worker"},
    "enqueue": {"worker", "api", "operator"},
    "enqueue_many": {"worker", "api", "operator"},
    "enter": {"worker", "api", "operator"},
    "expire_jobs": {"dispatcher"},
    "expire_leases": {"dispatcher"},
    "fail": {"worker"},
    "fan_out": {"scheduler"},
    "finish": {"worker"},
    "forget_lost_workers": {"dispatcher"},
    "forget_worker": {"worker"},
    "heartbeat": {"worker"},
    "hold_lease": {"worker"},
    "installed_schema": EVERY_SERVICE,
    "jobs_overview": {"operator"},
    "lead": {"dispatcher"},
    "lock": {"worker"},
    "mint_calls": {"worker", "api", "operator"},
    "open_tenant": {"operator"},
    "own_limits": {"api"},
    "protect": set(),
    "prune_jobs": {"worker"},
    "register_worker": {"worker"},
    "report_progress": {"worker"},
    "resend_lost": {"dispatcher"},
    "resign": {"dispatcher"},
    "resume_tenant": {"operator"},
    "retire_signing_key": {"operator"},
    "retry_job": {"api", "operator"},
    "retry_jobs": {"operator"},
    "revoke_api_key": {"operator"},
    "rotate_signing_key": {"operator"},
    "save_checkpoint": {"worker"},
    "served_queues": {"dispatcher"},
    "set_flow": {"operator"},
    "set_job_retention": {"operator"},
    "set_limits": {"operator"},
    "set_running_limit": {"operator"},
    "set_tenant_tier": {"operator"},
    "set_tier": {"operator"},
    "suspend_tenant": {"operator"},
    "tenant_limits": {"operator"},
    "tenants_top": {"operator"},
    "undo_dispatch": {"dispatcher"},
    "uuid7": {"PUBLIC"},
    "wait_for_disk": {"api", "operator", "worker"},
    "waiting_on": {"api", "operator"},
    "waiting_on_each": {"api"},
    "workers_overview": {"operator"},
}
"""Every function of the schema partywall and who may execute it beside its owner."""


def grantees(catalog: Database, schema: str) -> dict[str, set[str]]:
    rows = catalog.ask(
        """
        select proname::text, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC')
        from pg_proc
        cross join aclexplode(coalesce(proacl, acldefault('f', proowner)))
        where pronamespace = cast(:schema as regnamespace)
        """,
        schema=schema,
    )
    found: dict[str, set[str]] = {}
    for name, grantee in rows:
        found.setdefault(str(name), set()).add(str(grantee).removeprefix("partywall_"))
    return found


def test_each_function_is_executable_by_exactly_the_roles_that_need_it(catalog: Database) -> None:
    found = {name: roles - {"owner"} for name, roles in grantees(catalog, "partywall").items()}

    assert found == EXECUTE


def test_private_functions_are_the_owners_alone(catalog: Database) -> None:
    assert set.union(*grantees(catalog, "partywall_private").values()) == {"owner"}


def test_no_function_has_two_forms(catalog: Database) -> None:
    """A second form keeps the grants of the first when a file changes the arguments."""
    assert (
        catalog.ask("""
        select proname from pg_proc
        where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
        group by proname having count(*) > 1
    """)
        == []
    )


def test_every_definer_function_has_a_pinned_search_path_with_temporary_objects_last(catalog: Database) -> None:
    loose = catalog.ask("""
        select oid::regprocedure::text
        from pg_proc
        where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace, 'app'::regnamespace)
          and prosqlbody is null
          and not coalesce('search_path=pg_catalog, pg_temp' = any(proconfig), false)
    """)

    assert loose == []
