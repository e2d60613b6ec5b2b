"""Attacks that read what PostgreSQL keeps about tables, instead of the tables."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER, Weakness

statistics = attacks_on("statistics", SUPERUSER)
toast = attacks_on("TOAST tables", SUPERUSER)
passwords = attacks_on("passwords and settings", SUPERUSER)
wal = attacks_on("the write-ahead log", SUPERUSER)

EXTENDED = Weakness(
    "extended statistics, and row-level security off",
    ("create statistics app.bodies (mcv) on tenant_id, body from app.notes", "analyze app.notes"),
    ("drop statistics app.bodies",),
)

ATTACKS = (
    statistics(
        "common values",
        "select tablename, most_common_vals, histogram_bounds from pg_stats where schemaname = 'app'",
        opened_by=(NO_POLICIES,),
    ),
    statistics(
        "common values of the platform's tables",
        "select most_common_vals, histogram_bounds from pg_stats where schemaname = 'partywall'",
        opened_by=(NO_POLICIES,),
    ),
    statistics(
        "common values of several columns",
        "select most_common_vals from pg_stats_ext",
        opened_by=(NO_POLICIES, EXTENDED),
    ),
    statistics(
        "the table beneath",
        "select stavalues1::text, stavalues2::text from pg_statistic where starelid = 'app.notes'::regclass",
    ),
    statistics(
        "the table beneath the extended",
        "select count(*) from pg_statistic_ext_data",
        "select 'sees', has_table_privilege('pg_statistic_ext_data', 'select')",
        proof="sees | True",
    ),
    statistics(
        "counters set back",
        "select pg_stat_reset()",
        "select pg_stat_reset_single_table_counters('app.notes'::regclass)",
        "select 'may', has_function_privilege('pg_stat_reset()', 'execute')",
        proof="may | True",
    ),
    #
    toast("long values", "select chunk_data from {b_toast}"),
    toast("long values counted", "select 'counted', count(*) from {b_toast}", proof="counted | "),
    #
    passwords("verifiers", "select rolname, rolpassword from pg_authid", proof="SCRAM-SHA-256$"),
    passwords("verifiers of logins", "select usename, passwd from pg_shadow", proof="SCRAM-SHA-256$"),
    passwords(
        "where subscriptions log in",
        "select subconninfo from pg_subscription",
        "select 'sees', has_column_privilege('pg_subscription', 'subconninfo', 'select')",
        proof="sees | True",
    ),
    passwords("who may log in from where", "select 'rule', auth_method from pg_hba_file_rules", proof="rule | scram"),
    passwords(
        "where the files are", "show data_directory", "show hba_file", "show config_file", proof="postgresql.conf"
    ),
    passwords(
        "the configuration",
        "select name, setting from pg_file_settings where name = 'port' or true",
        "select 'sees', has_table_privilege('pg_file_settings', 'select')",
        proof="sees | True",
    ),
    #
    wal("a slot", "select pg_create_physical_replication_slot('spy')"),
    wal(
        "a logical slot",
        "select pg_create_logical_replication_slot('spy', 'pgoutput')",
        "select pg_create_physical_replication_slot('spy')",
    ),
    wal("a publication", "create publication spy for all tables"),
    wal(
        "a subscription",
        "create subscription spy connection '' publication spy with (connect = false)",
        "create publication spy for table app.notes",
    ),
    wal("files of the log", "select 'file', name from pg_ls_waldir()", proof="file | 0000"),
    wal("a restore point", "select 'made', pg_create_restore_point('spy')", proof="made | "),
    wal("a new segment", "select 'switched', pg_switch_wal()", proof="switched | "),
    wal("a backup", "select 'started', pg_backup_start('spy', true)", "select pg_backup_stop()", proof="started | "),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestCatalog(Family):
    """None of them brings a value of B's back by way of the catalog."""
