"""Numeric transformations: how a client or carrier writes numbers, to E.164 and back.

Pure; provisioning checks and tries rules with it, call-control applies them on the admission path, so
both answer the same byte for byte (domain section 4.5).
"""
