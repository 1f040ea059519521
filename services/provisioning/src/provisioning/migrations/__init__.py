"""Schema changes of provisioning."""
