-- Tables of the audited schemas, and their partitions and other children, wherever those are.
select relations.oid
from pg_catalog.pg_class as relations
inner join schemas on relations.relnamespace = schemas.oid
where schemas.is_audited
  and relations.relkind in ('r', 'p')
  and relations.relpersistence <> 't'
union
select children.inhrelid as oid
from family
inner join pg_catalog.pg_inherits as children on family.oid = children.inhparent
