"""What can be taken out of the wall, a thing at a time, to show that an attack is one and that it is noticed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from db import cleaning
from db.engine import dispose_engines

if TYPE_CHECKING:
    from tests.isolation.attacks.field import Field


@dataclass(frozen=True)
class Weakness:
    """A hole, made by a superuser or in the code, and closed again after the test."""

    name: str
    make: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    patch: Callable[[pytest.MonkeyPatch], None] | None = None

    @contextmanager
    def made(self, field: "Field") -> Iterator[None]:
        """Make the hole while the block runs."""
        with ExitStack() as stack:
            if self.patch is not None:
                self.patch(stack.enter_context(pytest.MonkeyPatch.context()))
                stack.callback(dispose_engines)
                dispose_engines()
            stack.callback(_execute, self.undo, field)
            _execute(self.make, field)
            yield


@contextmanager
def weakened(field: "Field", weaknesses: Sequence[Weakness]) -> Iterator[None]:
    """Make all the holes while the block runs."""
    with ExitStack() as stack:
        for each in weaknesses:
            stack.enter_context(each.made(field))
        yield


def _execute(statements: Sequence[str], field: "Field") -> None:
    field.victim.close()  # its locks would be in the way; `Field.refresh()` lets it work again
    for statement in statements:
        filled: Any = statement.replace("{database}", field.database.name)
        field.admin.execute(filled)


_TABLES = (
    *("app.notes", "app.reminders", "app.comments", "app.accounts", "app.drafts", "app.events", "app.events_2026"),
    *("app.files", "app.file_chunks", "app.orders", "app.rejected_rows", "app.statements"),
    *("partywall.jobs", "partywall.tenants"),
)

NO_POLICIES = Weakness(
    "row-level security is off",
    tuple(f"alter table {table} disable row level security" for table in _TABLES),
    tuple(f"alter table {table} enable row level security" for table in _TABLES),
)
SUPERUSER = Weakness(
    "the worker is a superuser",
    ("alter role partywall_worker superuser",),
    ("alter role partywall_worker nosuperuser",),
)
BACKUP_MEMBER = Weakness(
    "the worker is a member of the backup role",
    ("grant partywall_backup to partywall_worker",),
    ("revoke partywall_backup from partywall_worker",),
)


def granted(*grants: str) -> Weakness:
    """Return the weakness of rights that the worker should not have: `granted("select on pg_stat_activity")`."""
    return Weakness(
        f"granted: {', '.join(grants)}",
        tuple(f"grant {grant} to partywall_worker" for grant in grants),
        tuple(f"revoke {grant} from partywall_worker" for grant in grants),
    )


def _function(name: str, body: str) -> str:
    return (
        f"create or replace function {name} language plpgsql stable parallel safe security definer "
        f"set search_path = pg_catalog, pg_temp as $body$ {body} $body$"
    )


_CURRENT_TENANT = "partywall.current_tenant_id() returns uuid"
_PROVEN_TENANT = "partywall_private.proven_tenant_id(token text) returns uuid"


def replaced(function: str, by: str) -> Weakness:
    """Return the weakness of another function in the place of one of ours, which the catalog remembers."""
    save = f"create table public.kept as select pg_get_functiondef('{function}'::regprocedure) as definition"
    put_back = "do $do$ begin execute (select definition from public.kept); end $do$"
    return Weakness(f"{function} is another", (save, by), (put_back, "drop table public.kept"))


def altered(function: str, before: str, after: str = "true") -> Weakness:
    """Return the weakness of a function of ours that says something else in one place: no condition, perhaps."""
    by = f"replace(pg_get_functiondef('{function}'::regprocedure), $text${before}$text$, $text${after}$text$)"
    return replaced(function, f"do $do$ begin execute {by}; end $do$")


PLAIN_SETTING = replaced(
    "partywall.current_tenant_id()",
    _function(
        _CURRENT_TENANT,
        "declare said text := nullif(current_setting('partywall.token', true), '');"
        " begin return coalesce(substring(said from '^pw1[.][0-9]+[.]([^.]+)'), said)::uuid; end",
    ),
)
"""The policy that most of the world uses: the setting holds the tenant's id. A token, as B has one, is taken for it."""

NO_SIGNATURE = replaced(
    "partywall_private.proven_tenant_id(text)",
    _function(_PROVEN_TENANT, "begin return split_part(token, '.', 3)::uuid; end").replace("security definer ", ""),
)
"""Tokens are read and believed: no signature, key or expiry counts."""

UNCOUNTED_LOCKS = replaced(
    "partywall.lock(text)",
    _function(
        "partywall.lock(key text) returns void", "begin perform pg_advisory_xact_lock(hashtextextended(key, 0)); end"
    ),
)
"""A transaction takes as many locks as it likes."""


def _careless_reset(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cleaning, "on_reset", lambda dbapi_connection, record, state: dbapi_connection.rollback())
    patch.setattr(cleaning, "DISCARD_ALL", ())


CARELESS_POOL = Weakness("connections go back to the pool as they are", patch=_careless_reset)
