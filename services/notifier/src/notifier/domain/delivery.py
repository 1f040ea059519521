"""What one try at a mail means for its future (states of the outbox, docs/decisions/0010).

pending -> sending -> sent | failed | pending (again) | uncertain -> sending -> ...
`uncertain` = the server had the whole message, and its answer never came. It is sent once more with the
same Message-ID; uncertain twice is where we stop and leave it to a person (RFC 1047 tells the problem).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_DELAY_S = 30
MAX_DELAY_S = 3600
MAX_UNCERTAIN = 2


class State(StrEnum):
    """Where a mail stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"


class Result(StrEnum):
    """How a try ended, as seen from here."""

    ACCEPTED = "accepted"  # 2xx after the message
    TEMPORARY = "temporary"  # 4xx, or no connection: certainly not delivered
    REFUSED = "refused"  # 5xx: certainly not delivered, and never will be
    UNKNOWN = "unknown"  # the message was handed over, no answer came


@dataclass(frozen=True)
class Outcome:
    """A try's end with the server's words. `server_away`: no mail will get through at the moment."""

    result: Result
    detail: str
    server_away: bool = False


@dataclass(frozen=True)
class History:
    """What a mail went through, this try included. Moments in Unix ms."""

    attempts: int
    uncertain_count: int
    first_attempt_ms: int


@dataclass(frozen=True)
class Verdict:
    """The mail's next state; `next_attempt_ms` None: no further try."""

    state: State
    uncertain_count: int
    next_attempt_ms: int | None

    @property
    def final(self) -> bool:
        """Nothing more will happen by itself."""
        return self.next_attempt_ms is None


def delay_s(attempts: int, jitter: float) -> float:
    """Seconds after the n-th failed try: 30, 60, 120 ... 3600, each spread by `jitter` (0..1) over
    75 % to 125 %, so that mails which failed together do not come back together."""
    base = min(FIRST_DELAY_S * 2 ** min(attempts - 1, 20), MAX_DELAY_S)
    return float(base * (0.75 + 0.5 * jitter))


def verdict(outcome: Outcome, history: History, *, now_ms: int, give_up_s: int, jitter: float) -> Verdict:
    """What becomes of the mail after this try."""
    uncertain = history.uncertain_count
    later_ms = now_ms + round(delay_s(history.attempts, jitter) * 1000)
    match outcome.result:
        case Result.ACCEPTED:
            return Verdict(State.SENT, uncertain, None)
        case Result.REFUSED:
            return Verdict(State.FAILED, uncertain, None)
        case Result.UNKNOWN:
            again = uncertain + 1 < MAX_UNCERTAIN
            return Verdict(State.UNCERTAIN, uncertain + 1, later_ms if again else None)
        case Result.TEMPORARY:
            if later_ms - history.first_attempt_ms > give_up_s * 1000:
                return Verdict(State.UNCERTAIN if uncertain else State.FAILED, uncertain, None)
            return Verdict(State.UNCERTAIN if uncertain else State.PENDING, uncertain, later_ms)
