"""Where attacks are played: a database with A's rows, B's rows, a session of B's at work, and a superuser who looks."""

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine

from cli.stack.postgres import EmbeddedPostgres
from db.attempts import Attempt
from db.context import TenantContext
from tests.databases import Database, TestTenant, clone, drop, in_use, make_tenant
from tests.db.work import claim_of, dispatch_all, enqueue_one
from tests.isolation.attacks import planting
from tests.isolation.attacks.state import take_state
from tests.isolation.attacks.victim import Victim

Admin = psycopg.Connection[tuple[Any, ...]]

_numbers = itertools.count(1)

ONE_CONNECTION = {"PARTYWALL_POOL_SIZE": "1"}
"""A role: whoever comes next gets what the one before left."""


@dataclass(frozen=True)
class Planted:
    """A database with everything in it, to be copied: nobody connects to it again."""

    postgres: EmbeddedPostgres
    name: str
    a: TestTenant
    b: TestTenant
    b_context: TenantContext
    facts: dict[str, str]
    """By the names under which an attack's SQL asks for them."""
    secrets: dict[str, str]
    """What must never come back, unless the attack was told."""


class Field:
    """A copy of what was planted, for any number of attacks."""

    def __init__(self, planted: Planted, database: Database, admin: Admin, victim: Victim) -> None:
        self.database = database
        self.admin = admin
        self.b = planted.b
        self.b_context = planted.b_context
        self.victim = victim
        self.secrets = planted.secrets | {"query": victim.query_canary}
        self.facts = planted.facts | {
            "database": database.name,
            "b_relation_file": _scalar(admin, "select pg_relation_filepath('app.notes')"),
        }
        self._a = planted.a
        self.neighbour: Engine | None = None
        """Another worker process, where a pooler hands both the same session of PostgreSQL."""
        self.attempt: Attempt
        self.refresh()
        self.state = take_state(self)

    def refresh(self) -> None:
        """Let the next attack start as the first one did."""
        planting.plant_a(self.admin, self.facts)
        if not self.victim.is_well():
            self.victim.open()
        self.facts |= {"b_pid": str(self.victim.pid), "b_lock": str(self.victim.lock)}
        self._have_an_attempt()

    def _have_an_attempt(self) -> None:
        """Let A have one running attempt, come by as a worker comes by it."""
        asked = "select id::text from partywall.jobs where tenant_id = %s"
        if self.admin.execute(asked + " and state = 'running'", (self._a.id,)).fetchone() is not None:
            return
        self.admin.execute("delete from partywall.jobs where tenant_id = %s", (self._a.id,))
        job_id = enqueue_one(self._a)
        # What B has at the broker is not sent again, however long ago it was planted: that would change it.
        (message,) = [each for each in dispatch_all(resend_after=86400) if each.job_id == job_id]
        (self.attempt,) = claim_of(message, lease_seconds=86400)
        self.facts |= {"a_token": self.attempt.context.token, "a_job": str(self.attempt.job_id)}


def plant(postgres: EmbeddedPostgres) -> Planted:
    """Make the database that fields are copies of."""
    database = clone(postgres, f"planted_{os.getpid()}_{next(_numbers)}")
    with in_use(database, **ONE_CONNECTION), psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute("set role partywall_owner")
        with admin.transaction():
            admin.execute(planting.TABLES)
        admin.execute("reset role")
        return _populate(postgres, database, admin)


@contextmanager
def open_field(planted: Planted) -> Iterator[Field]:
    """Copy what was planted; every role's setting points at the copy while the block runs."""
    database = clone(planted.postgres, f"field_{os.getpid()}_{next(_numbers)}", template=planted.name)
    with ExitStack() as stack:
        stack.callback(drop, database)
        stack.enter_context(in_use(database, **ONE_CONNECTION))
        admin = stack.enter_context(psycopg.connect(database.admin_url, autocommit=True))
        victim = Victim(database, planted.b_context, planted.facts)
        stack.enter_context(closing(victim))
        victim.open()
        yield Field(planted, database, admin, victim)


def _populate(postgres: EmbeddedPostgres, database: Database, admin: Admin) -> Planted:
    b = make_tenant(f"b-{secrets.token_hex(8)}", name=planting.canary("name"))
    retired_token = _of_a_retired_key(admin, b)
    a = make_tenant("tenant-a")
    facts = planting.facts_of(str(a.id), str(b.id))
    planting.plant_b(admin, facts)
    planting.plant_a(admin, facts)
    admin.execute("vacuum analyze app.notes, app.drafts, partywall.jobs")

    b_token = _mint(admin, b, "1 day")
    a_token = _mint(admin, a, "1 day")
    facts |= {
        "b_slug": b.slug,
        "b_name": _scalar(admin, "select name from partywall.tenants where id = %s", b.id),
        "b_key_id": b.key.id,
        "b_expired_token": _mint(admin, b, "-1 second"),
        "b_retired_token": retired_token,
        "b_foreign_token": _of_another_database(admin, b),
        "b_large_object": _large_object(admin, facts["b_bytes"]),
        "b_toast": _scalar(admin, "select reltoastrelid::regclass from pg_class where relname = 'file_chunks'"),
    }
    pads = _scalar(
        admin, "select string_agg(encode(inner_pad || outer_pad, 'hex'), ' ') from partywall_private.signing_keys"
    )
    hidden = {name: value for name, value in facts.items() if name.startswith("b_") and len(value) > 8}
    hidden |= {"b": str(b.id), "token": b_token, "key_secret": b.key.secret}
    hidden |= {f"pads {number}": pad for number, pad in enumerate(pads.split())}
    return Planted(
        postgres=postgres,
        name=database.name,
        a=TestTenant(a.id, a.slug, a.key, TenantContext.of(a_token)),
        b=b,
        b_context=TenantContext.of(b_token),
        facts=facts,
        secrets=hidden,
    )


def _mint(admin: Admin, tenant: TestTenant, lifetime: str) -> str:
    mint = "select partywall_private.mint(%s, format('job/%%s/1', gen_random_uuid()), %s::interval)"
    return _scalar(admin, mint, tenant.id, lifetime)


def _of_a_retired_key(admin: Admin, tenant: TestTenant) -> str:
    old = _scalar(admin, "select max(id) from partywall_private.signing_keys")
    token = _mint(admin, tenant, "1 day")
    admin.execute("select partywall.rotate_signing_key()")
    admin.execute("select partywall.retire_signing_key(%s)", (old,))
    return token


def _of_another_database(admin: Admin, tenant: TestTenant) -> str:
    """Return a token as a database with the same key ids and other keys would sign it."""
    with admin.transaction(force_rollback=True):
        admin.execute("update partywall_private.signing_keys set inner_pad = outer_pad, outer_pad = inner_pad")
        return _mint(admin, tenant, "1 day")


def _large_object(admin: Admin, content: str) -> str:
    """Return the number of a large object that the worker's role owns, as one made before bootstrap would be."""
    number = _scalar(admin, "select lo_from_bytea(0, convert_to(%s, 'UTF8'))", content)
    admin.execute(f"alter large object {number} owner to partywall_worker")
    return number


def _scalar(admin: Admin, query: str, *bound: object) -> str:
    row = admin.execute(query, bound).fetchone()
    assert row is not None
    return str(row[0])
