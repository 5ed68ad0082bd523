-- Where do these messages of the sample stand?
select n, place from sampled where list_contains($wanted::bigint[], n)
