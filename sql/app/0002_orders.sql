-- Orders: what orders.import_csv read from tenants' files, and the rows of those files it could not read.

create table app.orders (
    tenant_id    uuid not null default partywall.current_tenant_id(),
    id           uuid not null default partywall.uuid7(),
    -- Where the row comes from. The content counts, not the name: the same bytes are imported once.
    file_sha256  bytea not null,
    file_line    integer not null,
    -- The same as file_line, unless the file is a piece of another and says which line of that one it was.
    line         integer not null,
    order_id     text not null,
    customer_id  text not null,
    ordered_at   timestamptz not null,
    sku          text not null,
    description  text not null,
    -- Negative for a return.
    quantity     integer not null,
    unit_price   numeric(16, 4) not null,
    imported_at  timestamptz not null default now(),
    primary key (tenant_id, id),
    constraint orders_file_line_is_unique unique (tenant_id, file_sha256, file_line),
    constraint orders_file_sha256_is_whole check (octet_length(file_sha256) = 32),
    constraint orders_lines_count_from_1 check (file_line >= 1 and line >= 1),
    constraint orders_are_somebodys check (order_id <> '' and customer_id <> '' and sku <> '')
);

create index orders_by_time on app.orders (tenant_id, ordered_at);

create table app.rejected_rows (
    tenant_id    uuid not null default partywall.current_tenant_id(),
    id           uuid not null default partywall.uuid7(),
    file_name    text not null,
    file_sha256  bytea not null,
    file_line    integer not null,
    line         integer not null,
    reason       text not null,
    -- As it stood in the file, the beginning of a long one.
    row_text     text not null,
    rejected_at  timestamptz not null default now(),
    primary key (tenant_id, id),
    constraint rejected_rows_file_line_is_unique unique (tenant_id, file_sha256, file_line),
    constraint rejected_rows_file_sha256_is_whole check (octet_length(file_sha256) = 32),
    constraint rejected_rows_lines_count_from_1 check (file_line >= 1 and line >= 1),
    constraint rejected_rows_text_is_short check (length(row_text) <= 1000)
);

select partywall.protect('app.orders');
select partywall.protect('app.rejected_rows');
