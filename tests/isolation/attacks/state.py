"""What must be the same after an attack as before: B's rows, the catalog, the roles. Read by a superuser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import dict_row

from tests.isolation.attacks.planting import TENANT_TABLES

if TYPE_CHECKING:
    from tests.isolation.attacks.field import Field


@dataclass(frozen=True)
class State:
    """One checksum per thing."""

    sums: Mapping[str, str]

    def changed_since(self, before: "State") -> list[str]:
        """Return the names of what is not as it was."""
        return [name for name, value in self.sums.items() if before.sums.get(name) != value]


ROWS_OF_B = "rows of B"

# pg_default_acl is left out: what a role grants on objects it may never create has no effect.
_CATALOGS = {
    "relations": (
        "select oid, relname, relnamespace, relowner, relacl::text, relrowsecurity, relforcerowsecurity, reloptions"
        " from pg_class where relpersistence <> 't' and relnamespace <> 'pg_toast'::regnamespace"
    ),
    "columns": "select attrelid, attname, attacl::text from pg_attribute where attacl is not null",
    "functions": "select * from pg_proc where oid >= 16384",
    # Three thousand: the versions of their rows say as much as their texts.
    "functions of PostgreSQL": "select count(*), sum(xmin::text::bigint) from pg_proc where oid < 16384",
    "schemas": "select oid, nspname, nspowner, nspacl::text from pg_namespace where nspname !~ '^pg_(toast_)?temp'",
    "policies": "select polname, polrelid, pg_get_expr(polqual, polrelid), polroles::text from pg_policy",
    "triggers": "select tgname, tgrelid, tgenabled from pg_trigger where not tgisinternal",
    "rules": "select rulename, ev_class from pg_rewrite",
    "event triggers": "select evtname, evtenabled from pg_event_trigger",
    "roles": "select * from pg_authid",
    "memberships": "select roleid, member from pg_auth_members",
    "role settings": "select * from pg_db_role_setting",
    "rights on settings": "select * from pg_parameter_acl",
    "configuration": "select sourcefile, name, setting from pg_file_settings",
    "databases": "select datname, datacl::text, datdba from pg_database where datname = current_database()",
    "extensions": "select extname from pg_extension",
    "operators": "select oid from pg_operator where oid > 16383",
    "casts": "select oid from pg_cast where oid > 16383",
    "publications": "select pubname from pg_publication",
    "subscriptions": "select subname, subdbid from pg_subscription",
    "inheritance": "select inhrelid, inhparent from pg_inherits",
    "slots": "select slot_name from pg_replication_slots",
    "foreign": "select fdwname from pg_foreign_data_wrapper union all select srvname from pg_foreign_server",
    "large objects": "select oid, lomowner, lomacl::text from pg_largeobject_metadata",
    "large object pages": "select * from pg_largeobject",
    "prepared transactions": "select gid from pg_prepared_xacts",
    "tenants": "select * from partywall.tenants",
    "API keys": "select * from partywall_private.api_keys",
    "signing keys": "select * from partywall_private.signing_keys",
    "limits": "select * from partywall.tenant_limits",
    "limits of tasks and queues": "select * from partywall.running_limits",
    "tiers": "select * from partywall.tiers",
}


def _sum(query: str) -> str:
    return f"(select md5(coalesce(string_agg(each::text, '|' order by each::text), '')) from ({query}) as each)"


def _query() -> str:
    rows = {
        f"{ROWS_OF_B} in {table}": f"select tableoid, * from {table} where tenant_id = %(b)s" for table in TENANT_TABLES
    }
    # The processes that run B's jobs: bodies have their login.
    rows[f"{ROWS_OF_B} in partywall_private.workers"] = (
        "select * from partywall_private.workers where id in"
        " (select worker_id from partywall.jobs where tenant_id = %(b)s)"
    )
    named = ", ".join(f'{_sum(query)} as "{name}"' for name, query in (rows | _CATALOGS).items())
    return f"select {named}"


_QUERY = _query()


def take_state(field: "Field") -> State:
    """Return how everything is now."""
    try:
        with field.admin.cursor(row_factory=dict_row) as cursor:
            (row,) = cursor.execute(_QUERY, {"b": field.b.id})
    except psycopg.Error as error:
        return State({"unreadable": str(error)})
    return State(row)
