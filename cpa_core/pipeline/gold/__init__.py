"""Labels by people. In: conversations and what people say of them. Out: gold, how good labels are, corrected rates.

Called by `cpa gold`, the report, delivery, and the assets `gold_labels` and `label_quality`.
"""
