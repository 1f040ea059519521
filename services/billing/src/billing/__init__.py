"""Rate decks, call records and the ledger."""
