"""What billing publishes on the `rates`, `ledger` and `billing` streams."""
