-- Returns what is installed here: the migration's revision, and for each file of sql/ its version.
-- Every process asks before it starts, and refuses a database that is not of its own age.
create or replace function partywall.installed_schema()
returns table (revision text, path text, sha256 text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        (select version_num from partywall.alembic_version) as revision,
        files.path,
        files.sha256
    from partywall_private.installed_files as files
    order by files.path
$$;

grant execute on function partywall.installed_schema() to
partywall_worker, partywall_api, partywall_dispatcher, partywall_scheduler, partywall_operator;

comment on function partywall.installed_schema() is
'partywall: allow definer-executable, it shows revisions and digests of files, nothing of a tenant';
