"""Whoever has the session next: a job of tenant B's, which must find nothing and be able to work."""

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.context import TenantContext
from db.errors import PartywallError
from db.session import become
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.planting import NOTES_OF_B

_TRACKED_BY_POOLERS = ("application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
                       "standard_conforming_strings")  # fmt: skip
"""PgBouncer sets these on the server's connection for its client, so the value counts and not who set it."""

_LOOK = text("""
    select
        array(
            select name || ' = ' || setting
            from pg_settings
            where source in ('session', 'interactive')
              and name <> all(:tracked)
        ) || array(
            select name || ' = ' || setting
            from pg_settings
            where (name, setting) not in (
                ('client_encoding', 'UTF8'), ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'),
                ('TimeZone', 'UTC'), ('standard_conforming_strings', 'on')
            )
              and name = any(:tracked)
              and name <> 'application_name'
        ) as settings,
        array(
            select name
            from unnest(array['partywall.token', 'partywall.left_behind', 'app.tenant', 'app.stash']) as name
            where current_setting(name, true) <> ''
        ) as settings_of_their_own,
        current_user = session_user and current_user = 'partywall_worker' as own_role,
        array(select pg_listening_channels()) as channels,
        (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as advisory_locks,
        array(select name from pg_cursors where name <> '') as cursors,
        array(select name from pg_prepared_statements) as prepared_statements,
        pg_my_temp_schema() = 0 as no_temporary_schema
""")
_CLEAN: dict[str, Any] = {
    "settings": [],
    "settings_of_their_own": [],
    "own_role": True,
    "channels": [],
    "advisory_locks": 0,
    "cursors": [],
    "prepared_statements": [],
    "no_temporary_schema": True,
}


def what_b_finds(connection: Connection, field: Field) -> list[str]:
    """Let B's next job have the connection, work on it and say something on every channel; return what was wrong."""
    try:
        left = connection.execute(_LOOK, {"tracked": list(_TRACKED_BY_POOLERS)}).one()._asdict()
    except DBAPIError as error:
        return [f"B's next job failed: {error.orig}"]
    driver: Any = connection.connection.driver_connection
    left["notifications"] = len(driver._notifies_backlog)
    expected = _CLEAN | {"notifications": 0}
    won = [f"left behind: {name} {value}" for name, value in left.items() if value != expected[name]]
    connection.commit()
    won += _work_as(connection, field.b_context, field)
    return won


def _work_as(connection: Connection, context: TenantContext, field: Field) -> list[str]:
    try:
        become(connection, context)
        notes = connection.execute(text("select count(*), max(amount) from only app.notes")).one()
        connection.execute(
            text("select pg_notify(channel, :said) from unnest(array['gossip', 'partywall_jobs']) as channel"),
            {"said": field.facts["b_payload"]},
        )
        connection.commit()
    except (DBAPIError, PartywallError) as error:
        return [f"B's next job failed: {error}"]
    return [] if tuple(notes) == (NOTES_OF_B, int(field.facts["b_amount"])) else [f"B's next job saw {notes}"]
