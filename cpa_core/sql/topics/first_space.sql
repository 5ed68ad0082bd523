-- In which space were the first topics of a corpus found?
select arrays from topic_spaces where corpus = $corpus order by number limit 1
