"""Decisions about calls, without I/O: facts and a moment in, a decision out."""
