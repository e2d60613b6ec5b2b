"""Attacks on the other sessions of the worker's role: seeing what they run, ending them, slowing them down."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import SUPERUSER, granted

ACTIVITY = granted(
    "select on pg_stat_activity",
    "execute on function pg_stat_get_activity(integer)",
    "execute on function pg_stat_get_backend_activity(integer)",
    "execute on function pg_stat_get_backend_idset()",
    "execute on function pg_stat_get_backend_pid(integer)",
)

watch = attacks_on("other sessions' queries", ACTIVITY)
end = attacks_on("ending other sessions", SUPERUSER)
server = attacks_on("the server itself", SUPERUSER)

ATTACKS = (
    watch("every session", "select query, application_name, client_addr from pg_stat_activity"),
    watch("one session", "select query from pg_stat_get_activity({b_pid})"),
    watch("every session by function", "select * from pg_stat_get_activity(null)"),
    watch("by number", "select pg_stat_get_backend_activity(n) from pg_stat_get_backend_idset() as n"),
    watch(
        "by a guessed number",
        "select string_agg(pg_stat_get_backend_activity(n), ',') from generate_series(0, 200) as n",
    ),
    watch(
        "when a session began",
        "select 'began', max(pg_stat_get_backend_start(n)) is not null from generate_series(0, 200) as n",
        opened_by=(granted("execute on function pg_stat_get_backend_start(integer)"),),
        proof="began | True",
    ),
    watch(
        "from where a session comes",
        "select 'from', max(host(pg_stat_get_backend_client_addr(n))) from generate_series(0, 200) as n",
        opened_by=(granted("execute on function pg_stat_get_backend_client_addr(integer)"),),
        proof="from | 127",
    ),
    watch(
        "what a session waits for",
        "select 'waits', count(pg_stat_get_backend_wait_event(n)) from generate_series(0, 200) as n",
        opened_by=(granted("execute on function pg_stat_get_backend_wait_event(integer)"),),
        proof="waits | ",
    ),
    watch(
        "encryption of sessions",
        "select 'one', pid from pg_stat_ssl where pid = {b_pid}",
        opened_by=(granted("select on pg_stat_ssl", "execute on function pg_stat_get_activity(integer)"),),
        proof="one | ",
    ),
    watch("standbys", "select 'seen', count(*) from pg_stat_replication", opened_by=(SUPERUSER,), proof="seen | "),
    watch(
        "memory of this session",
        "select 'seen', count(*) > 1 from pg_backend_memory_contexts",
        opened_by=(SUPERUSER,),
        proof="seen | True",
    ),
    #
    end("B's session", "select pg_terminate_backend({b_pid})"),
    end("every session of the role", "select pg_terminate_backend(pid) from pg_locks where pid <> pg_backend_pid()"),
    end("B's query", "select 'cancelled', pg_cancel_backend({b_pid})", proof="cancelled | True"),
    end("B's session with a deadline", "select pg_terminate_backend({b_pid}, 100)"),
    end(
        "memory of B's session into the log",
        "select 'logged', pg_log_backend_memory_contexts({b_pid})",
        proof="logged | True",
    ),
    #
    server("its configuration read again", "select 'reloaded', pg_reload_conf()", proof="reloaded | True"),
    server("its log turned over", "select 'turned', pg_rotate_logfile()", proof="turned | "),
    server("a checkpoint", "checkpoint", "select 'may', pg_has_role('pg_checkpoint', 'member')", proof="may | True"),
    server("shared memory", "select 'seen', count(*) > 1 from pg_shmem_allocations", proof="seen | True"),
    server("its log", "select 'log', pg_current_logfile()", proof="log | "),
    server("a library loaded", "load 'plpgsql'", "select 'super', current_setting('is_superuser')", proof="super | on"),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestSessionsOfOthers(Family):
    """None of them sees B's session or touches it."""
