"""Pure rules of provisioning."""
