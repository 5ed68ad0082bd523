"""Batches at half the price. In: the requests of a day. Out: answers in the ledger, requests still open.

Called by `label` while a day is labelled, and by the batches sensor.
"""
