-- Many finished jobs beside few live ones: what finds them, and how vacuum keeps up with both.

-- What is over and old, for the tenant whose retention has passed: the oldest end of this index.
create index jobs_finished on partywall.jobs (tenant_id, finished_at) where finished_at is not null;

-- What may be tried again, among a million that need not. It crosses tenants, as the dispatcher's do.
create index jobs_retryable on partywall.jobs (state, finished_at) where state in ('failed', 'cancelled', 'expired');

-- An attempt goes with its job, so pruning leaves as many dead rows here as there; so do payloads that were too big for
-- their row. The same share for all of them, as 0003 has it for jobs; docs/how-to/keep-finished-jobs.md says why.
alter table partywall.attempts set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
alter table partywall.jobs set (
    toast.autovacuum_vacuum_scale_factor = 0.02,
    toast.autovacuum_vacuum_insert_scale_factor = 0.05,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- Their successors take other arguments and give other answers. With both there, a call could not be told apart.
drop function if exists partywall.retry_jobs(text, text, text, timestamptz, integer);
drop function if exists partywall_private.queue_again(uuid, uuid);
