-- An adopter's tables: one behind the wall, and two that say they are everybody's, the second of them by mistake.
create table app.notes (
    tenant_id  uuid not null default partywall.current_tenant_id(),
    id         uuid not null default partywall.uuid7(),
    body       text not null,
    read       boolean not null default false,
    primary key (tenant_id, id)
);
select partywall.protect('app.notes');

create table app.cache (
    key    text not null,
    value  text not null,
    primary key (key)
);
comment on table app.cache is 'partywall: shared, what the same question was answered with before';

create table app.board (
    tenant_id  uuid not null default partywall.current_tenant_id(),
    id         uuid not null default partywall.uuid7(),
    body       text not null,
    primary key (tenant_id, id)
);
comment on table app.board is 'partywall: shared, there is nothing private on a board';
