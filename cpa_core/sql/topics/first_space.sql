-- In which space were a corpus's topics found first, since the last change of its vectors?
select arrays from topic_spaces
where corpus = $corpus and since is null
order by number desc
limit 1
