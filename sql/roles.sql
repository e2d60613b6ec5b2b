-- Who may log in, and what each may touch. Run once per database by an administrator
-- (superuser, or CREATEROLE plus ownership of the database): `partywall bootstrap`.
-- Idempotent. Passwords are set by the caller, never here.

do $roles$
declare
    login text;
begin
    -- Owns every object. NOLOGIN: reached only by the migrator's `set role`.
    if to_regrole('partywall_owner') is null then
        create role partywall_owner nologin noinherit;
    end if;

    foreach login in array array[
        'partywall_migrator', 'partywall_worker', 'partywall_api',
        'partywall_dispatcher', 'partywall_scheduler', 'partywall_operator'
    ]
    loop
        if to_regrole(login) is null then
            execute format('create role %I login noinherit nocreatedb nocreaterole', login);
        end if;
    end loop;

    -- A token is bound, not written into the statement; a log of bound values would hold it. Where no
    -- superuser is at hand, the server's own configuration has to say so.
    if (select rolsuper from pg_roles where rolname = current_user) then
        foreach login in array array['partywall_worker', 'partywall_api', 'partywall_operator']
        loop
            execute format('alter role %I set log_parameter_max_length = 0', login);
            execute format('alter role %I set log_parameter_max_length_on_error = 0', login);
            -- auto_explain has a setting of its own, and 15 neither has it nor logs what is bound.
            if current_setting('server_version_num')::integer >= 160000 then
                execute format('alter role %I set auto_explain.log_parameter_max_length = 0', login);
            end if;
        end loop;
    end if;

    if not pg_has_role('partywall_migrator', 'partywall_owner', 'member') then
        grant partywall_owner to partywall_migrator;
    end if;

    -- Dumps need every tenant's rows. Only a superuser can hand out BYPASSRLS; where none
    -- is at hand, `partywall check` says that the backup role is missing.
    if to_regrole('partywall_backup') is null
        and (select rolsuper from pg_roles where rolname = current_user)
    then
        create role partywall_backup nologin noinherit bypassrls;
    end if;
end
$roles$;

-- Sessions of one role see and end each other's queries, large objects belong to the role, not to a tenant, and
-- the server has one table of locks, which one statement fills. PostgreSQL grants all of that to PUBLIC; only a
-- superuser can take it back, for this database.
do $side_channels$
declare
    procedure regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    for procedure in
        select oid
        from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace
          and (
            proname like 'lo\_%'
            or proname like 'pg\_stat\_get\_backend\_%'
            or proname like 'pg\_advisory\_%'
            or proname like 'pg\_try\_advisory\_%'
            or proname in (
                'loread', 'lowrite', 'lo_export', 'lo_import',
                'pg_terminate_backend', 'pg_cancel_backend', 'pg_stat_get_activity'
            )
          )
    loop
        execute format('revoke execute on function %s from public', procedure);
    end loop;
    -- Whoever migrates, and partywall.lock(). Dispatchers led by one in former versions.
    grant execute on function pg_try_advisory_lock(bigint) to partywall_migrator;
    revoke execute on function pg_try_advisory_lock(bigint) from partywall_dispatcher;
    grant execute on function pg_advisory_xact_lock(bigint) to partywall_owner;
    -- Between two jobs of a message. It ends only what its own session holds.
    grant execute on function pg_advisory_unlock_all() to partywall_worker;
    revoke select on pg_stat_activity, pg_stat_ssl, pg_stat_gssapi, pg_stat_replication, pg_largeobject_metadata
    from public;
    if to_regrole('partywall_backup') is not null then
        -- pg_dump asks which large objects there are, also where there are none.
        grant select on pg_largeobject_metadata to partywall_backup;
    end if;
end
$side_channels$;

do $database$
declare
    login text;
begin
    -- TEMP lets a session shadow real tables, CREATE on public lets it plant functions.
    execute format('revoke all on database %I from public', current_database());
    execute format('grant create on database %I to partywall_owner', current_database());
    revoke create on schema public from public;

    foreach login in array array[
        'partywall_owner', 'partywall_migrator', 'partywall_worker', 'partywall_api',
        'partywall_dispatcher', 'partywall_scheduler', 'partywall_operator', 'partywall_backup'
    ]
    loop
        if to_regrole(login) is not null then
            execute format('grant connect on database %I to %I', current_database(), login);
        end if;
    end loop;
end
$database$;
