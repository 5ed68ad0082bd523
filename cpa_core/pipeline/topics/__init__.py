"""Topics. In: messages, labels and verdicts of all days. Out: where each text belongs, and topics that are new.

Called by `cpa topics` and the asset `topics`.
"""
