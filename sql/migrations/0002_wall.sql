-- What the wall needs of the tables: which jobs still run while their tenant is being deleted.

alter table partywall.jobs add column runs_for_deleted boolean not null default false;

grant select (runs_for_deleted) on partywall.jobs to
partywall_worker, partywall_api, partywall_operator, partywall_dispatcher;

-- The reaper asks for tenants that are being deleted once a second; there are few of them among thousands.
create index tenants_not_active on partywall.tenants (status) where status <> 'active';

-- Their successors take one argument more. With both there, a call could not be told apart.
drop function if exists partywall.enqueue(text, jsonb, text, timestamptz, integer);
drop function if exists partywall_private.require_active_tenant(uuid);

-- What is right here and would be wrong elsewhere: `partywall audit` asks.
comment on table partywall.tenants is
'partywall: allow tenant-column-missing, a row is a tenant, so its policies are on its id';
comment on policy own_tenant on partywall.tenants is
'partywall: allow policy-not-on-tenant-column, the id of a tenant is its tenant_id';
comment on policy every_tenant on partywall.tenants is
'partywall: allow policy-always-true, the operator sees which tenants there are';
comment on policy every_tenant on partywall.jobs is
'partywall: allow policy-always-true, the dispatcher orders all jobs and may read no column that a tenant wrote';
comment on table partywall.jobs is
'partywall: allow probe-not-possible, only enqueue() adds jobs, so only a superuser''s probe can fill it';
comment on table partywall_private.api_keys is
'partywall: allow rls-disabled, no login reaches it, and a key is looked up before its tenant is known';
comment on constraint api_keys_id_is_unique on partywall_private.api_keys is
'partywall: allow unique-without-tenant, the id is random and not chosen by the tenant';
