"""Landline's own library: what two services must agree on, and how any service runs."""
