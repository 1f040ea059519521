"""Work that provisioning does in the background."""
