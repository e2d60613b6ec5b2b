-- A process that runs bodies proves that it is the one that was listed. Docs: docs/explanation/security-model.md.

-- A body has the login of its worker and may know the id of any process that ran a job of its tenant. The secret stays
-- in the memory of that process. Those of the version before have none: they work on, and are not listed.
delete from partywall_private.workers;

alter table partywall_private.workers
add column secret_sha256 bytea not null,
drop constraint workers_have_slots,
-- As much as one process can be worth having at the broker, whoever says so.
add constraint workers_have_slots check (slots between 1 and 256);

drop function if exists partywall.register_worker(uuid, text, integer, text, text[], integer);
drop function if exists partywall.heartbeat(uuid, text[], interval);
drop function if exists partywall.forget_worker(uuid);
