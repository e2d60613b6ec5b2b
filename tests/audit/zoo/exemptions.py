"""Exemptions that are themselves what is wrong."""

from tests.audit.zoo.defect import GOOD, TABLE, Defect

DEFECTS = [
    Defect(
        check="exemption-without-reason",
        name="shared, and nobody says why",
        plant="create table app.t (id int primary key); revoke insert, update, delete on app.t from partywall_worker;"
        " comment on table app.t is 'partywall: shared';",
        clean="create table app.t (id int primary key); revoke insert, update, delete on app.t from partywall_worker;"
        " comment on table app.t is 'partywall: shared, the same for everybody';",
        also=frozenset({("tenant-column-missing", "app.t")}),
    ),
    Defect(
        check="exemption-without-reason",
        name="nothing after the comma",
        plant=f"{TABLE} comment on table app.t is 'partywall: allow rls-disabled,  ';",
        clean=f"{TABLE} comment on table app.t is 'partywall: allow rls-disabled, a test';",
        also=frozenset({("rls-disabled", "app.t")}),
    ),
    Defect(
        check="exemption-for-unknown-check",
        name="a check that does not exist",
        plant=f"{GOOD} comment on table app.t is 'partywall: allow rls-disabeld, a test';",
        clean=f"{GOOD} comment on table app.t is 'allow rls-disabeld, a test';",
    ),
    Defect(
        check="exemption-unreadable",
        name="another verb",
        plant=f"{GOOD} comment on table app.t is 'partywall: ignore everything';",
        clean=f"{GOOD} comment on table app.t is 'Orders. See partywall: the wall.';",
    ),
    Defect(
        check="exemption-unused",
        name="what it allowed is gone",
        plant=f"{GOOD} comment on table app.t is 'partywall: allow rls-disabled, a test';",
        clean=f"{TABLE} comment on table app.t is 'partywall: allow rls-disabled, a test';",
    ),
    Defect(
        check="exemption-unused",
        name="a protected table that says it is shared",
        plant=f"{GOOD} comment on table app.t is 'partywall: shared, once it was';",
        clean=f"{TABLE} comment on table app.t is 'partywall: shared, it still is';",
    ),
    Defect(
        check="exemption-unused",
        name="on a part of a table",
        plant=f"{GOOD} comment on column app.t.body is 'partywall: allow sequence-in-tenant-table, a test';",
        clean=f"{GOOD} comment on column app.t.body is 'what it says';",
        part="column body",
    ),
]
