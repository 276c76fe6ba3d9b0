"""What `make` runs: the set-up and the targets, in the standard library alone."""
