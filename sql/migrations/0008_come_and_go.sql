-- Lanes know whether tenants come and go. Docs: docs/decisions/0016-bundles.md.

-- When a tenant last came that had nothing to start, while another had.
alter table partywall_private.lanes add column came_at timestamptz not null default '-infinity';
