"""The REST resources of provisioning: one file each, all listed in `resources`."""
