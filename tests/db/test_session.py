"""The door to a tenant's rows."""

import pytest
from sqlalchemy import text

from db import jobs
from db.context import TenantContext
from db.errors import NoTenantError, TokenRejectedError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import TestTenant


def enqueue_one(tenant: TestTenant) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        jobs.enqueue(session, task_name="notes.write", payload={}, queue="default", max_attempts=1)


def test_a_session_sees_its_own_tenants_rows_only(acme: TestTenant, zeta: TestTenant) -> None:
    enqueue_one(acme)
    enqueue_one(zeta)

    with tenant_session(acme.context, role=Role.API) as session:
        owners = session.execute(text("select distinct tenant_id from partywall.jobs")).scalars().all()

    assert owners == [acme.id]
