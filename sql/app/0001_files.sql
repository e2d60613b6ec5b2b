-- Files: what is too big for a payload. Uploaded with PUT /v1/files/NAME, read by tasks as a stream.

create table app.files (
    tenant_id   uuid not null default partywall.current_tenant_id(),
    id          uuid not null default partywall.uuid7(),
    name        text not null,
    size_bytes  bigint not null,
    sha256      text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, id),
    constraint files_name_is_unique unique (tenant_id, name),
    constraint files_name_is_plain check (name ~ '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$'),
    constraint files_size_is_counted check (size_bytes >= 0),
    constraint files_sha256_is_hex check (sha256 ~ '^[0-9a-f]{64}$')
);

-- A file is its chunks in the order of their positions, from 0. An empty file has none.
create table app.file_chunks (
    tenant_id   uuid not null default partywall.current_tenant_id(),
    file_id     uuid not null,
    position    integer not null,
    data        bytea not null,
    primary key (tenant_id, file_id, position),
    constraint file_chunks_belong_to_a_file
    foreign key (tenant_id, file_id) references app.files (tenant_id, id) on delete cascade,
    constraint file_chunks_are_small check (octet_length(data) between 1 and 1048576)
);

-- Uploads are mostly compressed already; trying again costs CPU and finds nothing.
alter table app.file_chunks alter column data set storage external;

select partywall.protect('app.files');
select partywall.protect('app.file_chunks');

-- The worker has the same by default privileges: see schemas.sql.
grant select, insert, update, delete on app.files, app.file_chunks to partywall_api;
