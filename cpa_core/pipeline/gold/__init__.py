"""Labels by people. In: conversations and people's labels of them.

Out: gold, the quality of the model's labels, corrected rates.

Called by `cpa gold`, the report, delivery, and the assets `gold_labels` and `label_quality`.
"""
