"""docs/reference/database.md says what the catalog says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import sql_files
from db.errors import PartywallError
from tests.databases import Database

PAGE = (Path(__file__).parents[2] / "docs/reference/database.md").read_text(encoding="utf-8")
ROLES = ("worker", "api", "dispatcher", "scheduler", "operator", "backup")


def table_under(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_schemas_and_who_may_use_them(catalog: Database) -> None:
    found = catalog.ask("""
        select
            nspname::text,
            coalesce(string_agg(replace(grantee::regrole::text, 'partywall_', ''), ', ' order by grantee::regrole::text)
                     filter (where grantee <> nspowner), 'nobody but the owner')
        from pg_namespace
        cross join aclexplode(nspacl)
        where nspname like 'partywall%' or nspname = 'app'
        group by nspname
    """)

    assert {(name.strip("`"), users) for name, _, users in table_under("Schemas")} == set(found)


def test_roles_and_which_log_in(catalog: Database) -> None:
    found = catalog.ask(
        "select rolname::text, case when rolcanlogin then 'yes' else 'no' end from pg_roles "
        "where rolname like 'partywall%'"
    )

    assert {(name.strip("`"), logs_in) for name, logs_in, _ in table_under("Roles")} == set(found)


def test_rights_on_the_platforms_tables(catalog: Database) -> None:
    documented = {cells[0].strip("`"): cells[1:] for cells in table_under("Tables of the platform")}
    tables = catalog.ask("""
        select oid::regclass::text from pg_class
        where relkind = 'r' and relnamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
    """)

    assert documented == {str(table): [right(catalog, str(table), role) for role in ROLES] for (table,) in tables}


def right(catalog: Database, table: str, role: str) -> str:
    """Return what the page has to say about a role's right to read a table."""
    ((denied, readable, usable),) = catalog.ask(
        """
        select
            array_agg(attname::text order by attname::text)
                filter (where not has_column_privilege(:login, attrelid, attnum, 'select')),
            bool_or(has_column_privilege(:login, attrelid, attnum, 'select')),
            has_schema_privilege(:login, (select relnamespace from pg_class where oid = cast(:table as regclass)),
                                 'usage')
        from pg_attribute
        where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
        """,
        login=f"partywall_{role}",
        table=table,
    )
    if not (readable and usable):
        return ""
    if role == "backup" or not is_walled(catalog, table):
        return "all"
    scope = {True: "every tenant's", False: "own tenant's"}[sees_all(catalog, table, role)]
    names: list[str] = denied or []  # type: ignore[assignment]
    return ", ".join([scope, *([f"without {', '.join(f'`{name}`' for name in names)}"] if names else [])])


def is_walled(catalog: Database, table: str) -> bool:
    ((walled,),) = catalog.ask("select relrowsecurity from pg_class where oid = cast(:table as regclass)", table=table)
    return bool(walled)


def sees_all(catalog: Database, table: str, role: str) -> bool:
    ((answer,),) = catalog.ask(
        """
        select exists (
            select from pg_policy
            where polrelid = cast(:table as regclass) and polpermissive
              and cast(:login as regrole) = any(polroles) and pg_get_expr(polqual, polrelid) = 'true'
        )
        """,
        login=f"partywall_{role}",
        table=table,
    )
    return bool(answer)


@pytest.mark.parametrize("table", ["jobs", "attempts", "tiers", "tenant_limits", "running_limits"])
def test_columns(table: str, catalog: Database) -> None:
    found = catalog.ask(
        """
        select attname::text, format_type(atttypid, atttypmod)
        from pg_attribute
        where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
        order by attnum
        """,
        table=f"partywall.{table}",
    )

    assert [(name.strip("`"), kind) for name, kind, _ in table_under(f"partywall.{table}")] == found


def test_functions_and_who_may_execute_them(catalog: Database) -> None:
    found = catalog.ask("""
        select
            format('%s.%s(%s)', nspname, proname, (
                select string_agg(format('%s %s', proargnames[position], format_type(kind, null)), ', '
                                  order by position)
                from unnest(proargtypes::oid[]) with ordinality as arguments (kind, position)
            )),
            coalesce(
                string_agg(coalesce(replace(nullif(grantee, 0)::regrole::text, 'partywall_', ''), 'PUBLIC'), ', '
                           order by grantee::regrole::text) filter (where grantee <> proowner),
                'owner'
            )
        from pg_proc
        inner join pg_namespace on pronamespace = pg_namespace.oid
        cross join aclexplode(proacl)
        where nspname in ('partywall', 'partywall_private')
        group by pg_proc.oid, nspname, proname, proargnames, proargtypes
    """)

    assert {(name.strip("`"), roles) for name, roles, *_ in table_under("Functions")} == set(found)


CODE = re.compile(r"PW\d+")


def raised() -> Iterator[str]:
    for file in [*sql_files.functions(), *sql_files.files_in("guard")]:
        yield from re.findall(r"errcode = '(\w+)'", file.text)


def test_sqlstates_are_those_of_the_functions_and_of_the_error_classes() -> None:
    documented = {code: name.strip("`") for code, name, _ in table_under("SQLSTATEs")}
    classes = {kind.sqlstate: kind.__name__ for kind in PartywallError.__subclasses__() if kind.sqlstate}

    assert documented == classes
    assert set(documented) == set(raised())
    assert set(re.findall(r"PW\d+", PAGE)) == set(documented)


def test_what_a_function_says_it_raises_it_raises(catalog: Database) -> None:
    """Each SQLSTATE in a function's own text, or in that of the functions it calls, stands in its row."""
    bodies = {
        str(name): str(body)
        for name, body in catalog.ask("""
            select format('%s.%s', pronamespace::regnamespace, proname), prosrc
            from pg_proc
            where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
        """)
    }

    def codes(name: str) -> set[str]:
        body = bodies[name]
        calls = {other for other in bodies if other != name and f"{other}(" in body}
        # What protect() writes into a policy is asked by others, later.
        calls -= {"partywall.current_tenant_id"} if name == "partywall.protect" else set()
        handlers = " ".join(re.findall(r"exception when (sqlstate .*)", body))
        return set(re.findall(r"errcode = '(\w+)'", body)).union(*map(codes, calls)) - set(CODE.findall(handlers))

    documented = {
        signature.strip("`").split("(")[0]: set(re.findall(r"PW\d+", raises))
        for signature, _, raises, _ in table_under("Functions")
    }
    # A key goes with its tenant, so the tenant of one that was found is not unknown.
    unreachable = {"partywall.authenticate": {"PW004"}}
    assert documented == {name: codes(name) - unreachable.get(name, set()) for name in bodies}
