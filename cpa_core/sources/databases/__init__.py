"""A database as a source: its rows are read by ranges of a watermark, each of which is an object like a file."""

from cpa_core.sources.databases.ranges import LandedRange, Place, listing

__all__ = ["LandedRange", "Place", "listing"]
