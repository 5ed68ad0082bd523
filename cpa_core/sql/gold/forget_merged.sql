-- How far a file was merged is written anew.
delete from gold_merged where file = $name
