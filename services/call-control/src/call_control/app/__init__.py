"""Use cases: what happens to a call, in the order read, decide, commit."""
