"""Slow proofs: whole processes, real daemons, servers on loopback. `python -m proofs.<name>`; not part of `make test`."""
