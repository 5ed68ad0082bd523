"""Reports. In: labelled days. Out: the HTML report, tables of sums, answers to questions about a day.

Called by `cpa report`, `cpa export` and the assets `insights` and `report`.
"""
