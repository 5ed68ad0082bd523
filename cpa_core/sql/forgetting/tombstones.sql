-- What must not land again, in a store that several workers share? The first salt counts.
select salt, kind, hash, before from tombstones order by salt nulls last, kind, hash, before
