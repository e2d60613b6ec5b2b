-- Statements: what each customer of a tenant bought in a month (UTC), as reports.monthly_statement last counted it.

create table app.statements (
    tenant_id    uuid not null default partywall.current_tenant_id(),
    id           uuid not null default partywall.uuid7(),
    customer_id  text not null,
    -- Its first day.
    month        date not null,
    orders       bigint not null,
    -- Returns taken off, so it may be negative; so may the revenue.
    items        bigint not null,
    -- Room for 10^16 of the largest lines that app.orders can hold.
    revenue      numeric(38, 4) not null,
    counted_at   timestamptz not null default now(),
    primary key (tenant_id, id),
    constraint statements_customer_and_month_are_unique unique (tenant_id, month, customer_id),
    constraint statements_month_is_its_first_day check (extract(day from month) = 1),
    constraint statements_have_an_order check (orders >= 1)
);

select partywall.protect('app.statements');
