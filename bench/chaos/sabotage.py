"""Taking a safeguard out of one run's database, so that the run has to find it missing. No other code knows of it."""

from collections.abc import Sequence

from bench.chaos.database import Database

_FENCED = ("finish", "hold_lease", "save_checkpoint")
"""What a running attempt calls before it commits. Each refuses with PW009 where the attempt lost its lease."""

_ASIDE = "chaos_fenced"
"""The schema where the originals are."""

_DEFINITIONS = """
    select
        functions.oid::regprocedure::text as name,
        functions.proname as short_name,
        schemas.nspname as schema_name,
        pg_get_function_identity_arguments(functions.oid) as arguments,
        pg_get_function_result(functions.oid) as result,
        pg_get_functiondef(functions.oid) as definition,
        functions.prosrc as body
    from pg_proc as functions
    inner join pg_namespace as schemas on functions.pronamespace = schemas.oid
    where schemas.nspname in ('partywall', 'partywall_private')
      and functions.proname = any(cast(:names as text[]))
"""


class SabotageError(Exception):
    """The database has no such function: the sabotage has to follow what was renamed."""


def take_out_the_fence(database: Database) -> None:
    """Let an attempt commit though it has lost its lease: a refusal is swallowed, and its token lives for a day."""
    found = _functions(database, *_FENCED)
    database.do(f"create schema {_ASIDE} authorization partywall_owner")
    for function in found:
        arguments = [word.split()[0] for word in function.arguments.split(", ") if word]
        database.do(
            # Not renamed: bodies call their arguments by the function's name.
            f"alter function {function.name} set schema {_ASIDE}",
            f"""
            create function {function.schema_name}.{function.short_name}({function.arguments})
            returns {function.result} language plpgsql volatile security definer
            set search_path = pg_catalog, pg_temp
            as $sabotage$
            begin
                perform {_ASIDE}.{function.short_name}({", ".join(arguments)});
            exception when sqlstate 'PW009' then
                null;
            end
            $sabotage$
            """,
            f"grant execute on function {function.name} to partywall_worker",
            f"alter function {function.name} owner to partywall_owner",
        )
    for function in _functions(database, "proven_tenant_id"):
        _replace_body(database, function, "<= statement_timestamp()", "<= statement_timestamp() - interval '1 day'")


def leave_leases_alone(database: Database) -> None:
    """Let the reaper find nothing: a job whose worker died stays as it is."""
    for function in _functions(database, "expire_leases"):
        _replace_body(database, function, function.body, "begin return; end")


def _replace_body(database: Database, function: "_Row", old: str, new: str) -> None:
    if old not in function.definition:
        raise SabotageError(f"{function.name} no longer says {old!r}")
    database.do(function.definition.replace(old, new))


class _Row:
    name: str
    short_name: str
    schema_name: str
    arguments: str
    result: str
    definition: str
    body: str


def _functions(database: Database, *names: str) -> Sequence[_Row]:
    found: Sequence[_Row] = database.ask(_DEFINITIONS, names=list(names))
    missing = set(names) - {function.short_name for function in found}
    if missing:
        raise SabotageError(f"the database has no {', '.join(sorted(missing))}()")
    return found
