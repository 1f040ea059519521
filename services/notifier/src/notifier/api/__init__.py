"""notifier's REST API."""
