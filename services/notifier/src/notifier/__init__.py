"""Tells people: mail, and later faxes, voicemail and webhooks."""
