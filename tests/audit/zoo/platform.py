"""The platform's own functions: replaced, altered, dropped, doubled."""

from db import sql_files
from tests.audit.zoo.defect import OWNER, SUPERUSER, Defect

AS_SHIPPED = "".join(file.text for file in sql_files.functions())

BELIEVES_ANYBODY = """
create or replace function partywall_private.proven_tenant_id(token text)
returns uuid language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$ begin return split_part(token, '.', 3)::uuid; end $$;
"""
ASKS_A_STRANGER = """
create function app.next_id() returns uuid language sql as 'select gen_random_uuid()';
create or replace function partywall.uuid7() returns uuid language sql volatile parallel safe
begin atomic select app.next_id(); end;
"""
TENANT = "function partywall.current_tenant_id()"


def altered(name: str, plant: str, object: str = "partywall.current_tenant_id()", by: str = OWNER) -> Defect:
    return Defect("platform-function-altered", name, plant=plant, clean=AS_SHIPPED, object=object, by=by)


DEFECTS = [
    altered("its body", BELIEVES_ANYBODY, "partywall_private.proven_tenant_id(text)"),
    altered("a parsed body", ASKS_A_STRANGER, "partywall.uuid7()"),
    altered("another tenant for a cached plan", f"alter {TENANT} immutable;"),
    altered("the caller's rights", f"alter {TENANT} security invoker;"),
    altered("its search path", f"alter {TENANT} set search_path = app, pg_catalog;"),
    altered("one more setting", f"alter {TENANT} set row_security = off;"),
    altered("parallel workers", "alter function partywall.enter(text) parallel safe;", "partywall.enter(text)"),
    altered("null", "alter function partywall.enter(text) strict;", "partywall.enter(text)"),
    altered("not for a leak", f"{SUPERUSER} alter {TENANT} leakproof;", by=SUPERUSER),
    altered("its owner", f"{SUPERUSER} alter {TENANT} owner to postgres;", by=SUPERUSER),
    altered(
        "dropped", "drop function partywall.jobs_overview;", "partywall.jobs_overview(text,text,text,uuid,integer)"
    ),
    altered(
        "a second form",
        "create function partywall_private.verify(token varchar) returns uuid language sql as 'select null::uuid';",
        "partywall_private.verify(character varying)",
    ),
    Defect(
        check="platform-function-unknown",
        name="of a name of its own",
        plant="create function partywall.shortcut() returns integer language sql as 'select 1';",
        clean="create function app.shortcut() returns integer language sql as 'select 1';",
        object="partywall.shortcut()",
    ),
]
