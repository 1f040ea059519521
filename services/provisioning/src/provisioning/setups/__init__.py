"""A client set up in one call: home, devices, numbers, sources, plan and first money (decision 0031).

Read in this order: resource (what is asked and kept), write (provisioning's part, one transaction), billing
(billing's part, by REST), complete (until billing's part is done), routes.
"""
