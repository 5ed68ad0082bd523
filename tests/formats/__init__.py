"""Tests of each format: what is read of a file, as role and text."""
