"""Billing's rules without I/O: the ledger's arithmetic, a call's record, a rate sheet's lines, plans.

Invariants
* A client's postings are numbered 1, 2, 3 ...; each balance is the one before plus the amount.
* A call has at most one charge; record's price + all postings that name the call = 0.
* A rate sheet is taken whole or not at all.
"""
