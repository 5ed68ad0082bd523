-- Which meanings of a label were said to be the same?
select key, newer, older from gold_meanings
