"""The scripts of call-control, loaded once per process; `load_all` gives them to the server."""

from __future__ import annotations

from typing import Final

from landline.chassis.lua import Script, load
from landline.chassis.redis import AnyRedis


def _script(name: str) -> Script:
    return Script("call_control", f"{name}.lua")


ADMIT: Final = _script("admit_call")
RECEIVE: Final = _script("receive_call")
LINK_LEGS: Final = _script("link_legs")
LEAVE_DEVICE: Final = _script("leave_device")
REJECT: Final = _script("reject_call")
RING: Final = _script("ring_call")
ANSWER: Final = _script("answer_call")
EXTEND: Final = _script("extend_lease")
DEFER: Final = _script("defer_call")
TOUCH: Final = _script("touch_call")
END: Final = _script("end_call")
CORRECT: Final = _script("correct_call")
APPLY_POSTING: Final = _script("apply_posting")
SET_BALANCE: Final = _script("set_balance")
REPAIR_COUNTER: Final = _script("repair_counter")
RESERVE: Final = _script("reserve_money")
RELEASE: Final = _script("release_money")
LIST_LIVE: Final = _script("list_live")
KEEP_CONTACT: Final = _script("keep_contact")
HOLD_ACCOUNT: Final = _script("hold_account")

ALL: Final = (
    ADMIT,
    RECEIVE,
    LINK_LEGS,
    LEAVE_DEVICE,
    REJECT,
    RING,
    ANSWER,
    EXTEND,
    DEFER,
    TOUCH,
    END,
    CORRECT,
    APPLY_POSTING,
    SET_BALANCE,
    REPAIR_COUNTER,
    RESERVE,
    RELEASE,
    LIST_LIVE,
    KEEP_CONTACT,
    HOLD_ACCOUNT,
)


async def load_all(redis: AnyRedis) -> None:
    """Load every script on every primary: at start, and after a fail-over NOSCRIPT does the rest."""
    await load(redis, ALL)
