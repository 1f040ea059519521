"""Service (star) codes, read off the dialled string before any transformation (domain.md 4.3, section 5).

`withhold_once` and `show_once` are done here: the rest of the string is the number. All other codes only say
what is asked: `service_asked` judges it, `app/serve_code.py` does it.
"""

from __future__ import annotations

from collections.abc import Mapping

from call_control.domain.admission.case import Asked, Case

ONCE: Mapping[str, bool] = {"withhold_once": True, "show_once": False}
"""Whether the number is hidden in this call, whatever client, device or its headers say."""


def read(case: Case) -> None:
    """What the dialled string asks for, if it begins with a code of the brand; the longest one counts."""
    codes = case.brand.service_codes
    found = [code for code in codes if case.dialled.startswith(code)]
    if not found:
        return
    code = max(found, key=len)
    rest = case.dialled[len(code) :]
    hidden = ONCE.get(codes[code])
    if hidden is None:
        case.asked = Asked(codes[code], rest)
        return
    # Phones write *31600..., *31#600... (ETSI ETS 300 738) and *31*600... alike.
    case.hide_once, case.dialled = hidden, rest.lstrip("*#")
