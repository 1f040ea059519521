"""REST of call-control for people and integrators: live calls, usage, simulation."""
