"""What a session begins with, before its first statement."""

from tests.audit.zoo.defect import SUPERUSER, Defect

DEFECTS = [
    Defect(
        check="tenant-setting-preset",
        name="a token for a role",
        plant="alter role partywall_worker set partywall.token = 'pw1.1.x';",
        clean="alter role partywall_worker set work_mem = '8MB';",
        object="role partywall_worker",
        role="partywall_worker",
        by=SUPERUSER,
    ),
    Defect(
        check="tenant-setting-preset",
        name="a token for everybody in this database",
        plant="alter database {database} set partywall.token = 'pw1.1.x';",
        clean="alter database {database} set work_mem = '8MB';",
        object="database {database}",
        by=SUPERUSER,
    ),
    Defect(
        check="role-setting-unsafe",
        name="search_path",
        plant="alter role partywall_api set search_path = evil, pg_catalog;",
        clean="alter role partywall_api set statement_timeout = '5s';",
        object="role partywall_api",
        role="partywall_api",
        by=SUPERUSER,
    ),
    Defect(
        check="role-setting-unsafe",
        name="another role, in this database",
        plant="alter role partywall_worker in database {database} set role = 'partywall_owner';",
        clean="alter role partywall_backup in database {database} set search_path = app;",
        object="role partywall_worker",
        role="partywall_worker",
        by=SUPERUSER,
    ),
    Defect(
        check="role-setting-unsafe",
        name="for every login of the server",
        plant="alter role all set session_replication_role = 'replica';",
        clean="alter role all set work_mem = '8MB';",
        object="database {database}",
        by=SUPERUSER,
    ),
    Defect(
        check="parameter-set-granted",
        name="session_replication_role",
        plant="grant set on parameter session_replication_role to partywall_worker;",
        clean="grant set on parameter session_replication_role to partywall_owner;",
        object="database {database}",
        part="parameter session_replication_role",
        role="partywall_worker",
        by=SUPERUSER,
    ),
]
