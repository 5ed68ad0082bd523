"""Transcripts of an AI assistant in, trustworthy product events out, day by day."""

__version__ = "0.1.0"
