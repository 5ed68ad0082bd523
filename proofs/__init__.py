"""Slow proofs, not part of `make test`: whole processes, daemons, servers on loopback; `python -m proofs.<name>`."""
