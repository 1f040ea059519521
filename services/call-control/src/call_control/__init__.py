"""Decides, in real time, whether a call may happen."""
