-- What each view shows in the end, through whatever views.
select
    rules.ev_class as view,
    uses.refobjid as relation
from relations
inner join pg_catalog.pg_rewrite as rules on relations.oid = rules.ev_class
inner join pg_catalog.pg_depend as uses
    on rules.oid = uses.objid
    and uses.classid = 'pg_catalog.pg_rewrite'::regclass
    and uses.refclassid = 'pg_catalog.pg_class'::regclass
    and rules.ev_class <> uses.refobjid
where relations.kind in ('v', 'm')
union
select
    view_reads.view,
    uses.refobjid as relation
from view_reads
inner join pg_catalog.pg_rewrite as rules on view_reads.relation = rules.ev_class
inner join pg_catalog.pg_depend as uses
    on rules.oid = uses.objid
    and uses.classid = 'pg_catalog.pg_rewrite'::regclass
    and uses.refclassid = 'pg_catalog.pg_class'::regclass
    and rules.ev_class <> uses.refobjid
