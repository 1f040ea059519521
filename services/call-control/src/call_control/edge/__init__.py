"""The edge API (contracts section 4): the one interface with a deadline. Plain ASGI, compiled decoders."""
