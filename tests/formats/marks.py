"""Words that mark, in generated files, what is no speech."""

SILENT = "(nobody says this)"
"""Stands in every text that is no speech."""

INSIDE = "(said inside a trace)"
"""Stands in the calls inside another, and in branches that were left: speech only where damage takes the other away."""
