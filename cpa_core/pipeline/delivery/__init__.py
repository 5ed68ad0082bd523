"""Delivery. In: a labelled day. Out: events at the destinations, a receipt for each.

Called by `pipeline.run` and the asset `upload_receipts`.
"""
