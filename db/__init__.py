"""The only package that talks to PostgreSQL: tenancy, jobs, tenants, errors, migrations."""
