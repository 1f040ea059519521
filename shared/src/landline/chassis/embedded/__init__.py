"""The whole platform from one command: stores from wheels, two Python processes, one supervisor.

Nothing here is imported by a service. The supervisor's modules import the standard library only, so that
the third process of `make run` stays small (decision 0004).
"""
