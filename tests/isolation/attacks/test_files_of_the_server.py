"""Attacks on large objects, which belong to a role and not to a tenant, and on the files of the server."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import SUPERUSER, granted

LARGE_OBJECTS = granted(
    "execute on function lo_get(oid)",
    "execute on function lo_get(oid, bigint, integer)",
    "execute on function lo_open(oid, integer)",
    "execute on function loread(integer, integer)",
    "execute on function lo_put(oid, bigint, bytea)",
    "execute on function lo_unlink(oid)",
    "execute on function lo_creat(integer)",
    "execute on function lo_from_bytea(oid, bytea)",
    "execute on function lo_truncate(integer, integer)",
    "select on pg_largeobject_metadata",
)

large = attacks_on("large objects", LARGE_OBJECTS)
read = attacks_on("files of the server read", SUPERUSER)
write = attacks_on("files of the server written", SUPERUSER)

ATTACKS = (
    large("reading B's", "select convert_from(lo_get({b_large_object}), 'UTF8')"),
    large("reading a part of B's", "select lo_get({b_large_object}, 0, 1000)"),
    large("reading B's as a stream", "select loread(lo_open({b_large_object}, 262144), 10000)"),
    large("writing B's", "select lo_put({b_large_object}, 0, 'overwritten')"),
    large("emptying B's", "select lo_truncate(lo_open({b_large_object}, 131072), 0)"),
    large("deleting B's", "select lo_unlink({b_large_object})"),
    large("leaving one for B", "select lo_from_bytea(0, 'planted')"),
    large("leaving an empty one", "select lo_creat(-1)"),
    large(
        "which there are",
        "select 'found', oid from pg_largeobject_metadata where oid = {b_large_object}",
        proof="found | ",
    ),
    large("their pages", "select data from pg_largeobject", opened_by=(SUPERUSER,)),
    large("taken over", "alter large object {b_large_object} owner to partywall_api", opened_by=(SUPERUSER,)),
    large(
        "shared with everybody",
        "comment on large object {b_large_object} is 'x'",
        "select lo_put({b_large_object}, 0, 'x')",
    ),
    large("from a file of the server", "select lo_import('PG_VERSION')", opened_by=(SUPERUSER,)),
    large(
        "into a file of the server",
        "select 'written', lo_export({b_large_object}, 'spy')",
        opened_by=(SUPERUSER,),
        proof="written | 1",
    ),
    #
    read("the table's own file", "select pg_read_binary_file('{b_relation_file}')"),
    read("a text file", "select 'version', pg_read_file('PG_VERSION')", proof="version | 1"),
    read("a file's size", "select 'size', size > 0 from pg_stat_file('{b_relation_file}')", proof="size | True"),
    read("a directory", "select 'in', pg_ls_dir('.')", proof="in | PG_VERSION"),
    read(
        "temporary files",
        "select 'may', has_function_privilege('pg_ls_tmpdir()', 'execute')",
        "select count(*) from pg_ls_tmpdir()",
        proof="may | True",
    ),
    read("a copy from a file", "create table public.spy (line text)", "copy public.spy from '/etc/hostname'"),
    read("a copy from a program", "create table public.spy (line text)", "copy public.spy from program 'echo spy'"),
    read(
        "a copy from a file into A's own table",
        "copy app.notes (body) from '/etc/hostname'",
        "select 'copied', count(*) from app.notes having count(*) > 1242",
        proof="copied | ",
    ),
    #
    write(
        "a copy to a file",
        "copy (select 1) to '/dev/null'",
        "select 'super', current_setting('is_superuser')",
        proof="super | on",
    ),
    write(
        "a copy to a program",
        "copy (select 1) to program 'cat > /dev/null'",
        "select 'may', pg_has_role('pg_execute_server_program', 'member')",
        proof="may | True",
    ),
    write(
        "the configuration",
        "alter system set log_statement = 'all'",
        "commit",
        "alter system set log_statement = 'all'",
        "select 'changed', name from pg_file_settings where name = 'log_statement'",
        proof="changed | ",
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestFilesOfTheServer(Family):
    """None of them reaches a large object or a file."""
