"""Why a call can't be priced. `code` and `status` are what an admission answers (domain.md section 4.10)."""


class InvalidTariff(ValueError):
    """A price, plan or pinned text that breaks a rule of domain.md section 7. `field` names the culprit."""

    code = "invalid_tariff"
    status = 422

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class NoRatingProfile(LookupError):
    """No profile of the client (or carrier) is active at call start."""

    code = "no_rating_profile"
    status = 403


class NoRate(LookupError):
    """No prefix of the number has a price in force at that moment: what can't be billed does not go out."""

    code = "no_rate"
    status = 403


class DeckUnavailable(LookupError):
    """A deck that the plan names is not on this host (yet).

    Not a NoRate: the price exists, we just can't see it, so the client's outage policy decides.
    """

    code = "rates_unavailable"
    status = 503

    def __init__(self, deck_id: str) -> None:
        super().__init__(f"rate deck not loaded: {deck_id}")
        self.deck_id = deck_id


class DuplicatePrefix(ValueError):
    """A deck was given two prices for one prefix; which one counts would depend on the order of lines."""

    def __init__(self, prefix: str) -> None:
        super().__init__(f"duplicate prefix: {prefix}")
        self.prefix = prefix


class DeckDamaged(OSError):
    """A deck file that is not what was published: wrong magic, size, checksum or content."""
