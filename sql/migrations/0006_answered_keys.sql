-- Requests that were answered with a job that somebody else's request had made: `if_live = return` and an idempotency
-- key. The job has a key of its own, or none, so this one stands here for as long as the job is kept.

create table partywall_private.answered_keys (
    tenant_id       uuid not null,
    idempotency_key text not null,
    -- What it was asked for with: task and payload, which need not be the job's.
    request_digest  bytea not null,
    -- Null only until the transaction that takes the key has found its job. Whoever brings the same key waits for that.
    job_id          uuid,
    primary key (tenant_id, idempotency_key),
    constraint answered_keys_job_exists foreign key (tenant_id, job_id)
    references partywall.jobs (tenant_id, id) on delete cascade,
    constraint answered_keys_are_short check (length(idempotency_key) <= 255)
);

-- What goes with a job that is pruned.
create index answered_keys_by_job on partywall_private.answered_keys (tenant_id, job_id);

comment on table partywall_private.answered_keys is
'partywall: allow rls-disabled, no login reaches it, and enqueue() asks for keys of the transaction''s tenant only';
