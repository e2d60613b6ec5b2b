-- What the jobs of `make bench-throughput` and `make bench-fairness` leave behind: one row each.
create table app.bench_marks (
    tenant_id   uuid not null default partywall.current_tenant_id(),
    id          uuid not null default gen_random_uuid(),
    number      bigint not null,
    -- By the body's own clock, when it begins.
    started_at  timestamptz not null,
    -- Of the moment, not of the transaction: rates are counted from it.
    written_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id)
);
select partywall.protect('app.bench_marks');
