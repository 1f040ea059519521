"""Billing's use cases. Each is given the connection of its caller's transaction and does its SQL there."""
