-- What the jobs of `make chaos` leave behind. Nothing here is unique by job on purpose: a second effect must be able to
-- show, and only the platform may prevent it.
create table app.chaos_effects (
    tenant_id     uuid not null default partywall.current_tenant_id(),
    id            uuid not null default partywall.uuid7(),
    job_id        uuid not null,
    attempt       integer not null,
    part          integer not null,
    foreign_rows  bigint not null,
    -- Of the moment, not of the transaction: rates are counted from it.
    written_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id)
);
create index chaos_effects_by_job on app.chaos_effects (tenant_id, job_id, part);
select partywall.protect('app.chaos_effects');
