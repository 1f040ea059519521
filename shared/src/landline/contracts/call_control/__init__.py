"""What call-control publishes on the `calls` streams."""
