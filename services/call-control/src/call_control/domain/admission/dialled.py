"""The dialled string before any transformation (domain.md section 4.3): emergency and special numbers.

Looked up here, and by `numbers` again on the E.164 form; the emergency list wins over the special one.
"""

from __future__ import annotations

from call_control.domain.admission import service_codes
from call_control.domain.admission.case import CallClass, Case

_ESCAPED = {"%23": "#", "%2A": "*", "%2a": "*"}
"""What service codes are written with; `#` must be escaped in a SIP URI (RFC 3261 section 25.1)."""
_SEPARATORS = str.maketrans("", "", "-.() ")  # RFC 3966 section 5.1.1, and the space people type


def clean(user: str) -> str:
    """The user part without parameters (`;phone-context=...`) and, in a number, without separators."""
    if user.isdigit():
        return user
    user = user.partition(";")[0]
    if "%" in user:
        for escaped, plain in _ESCAPED.items():
            user = user.replace(escaped, plain)
    bare = user.translate(_SEPARATORS)
    return bare if bare.lstrip("+").isdigit() else user


def judge(case: Case) -> None:
    """Set the dialled string, the class it gives the call, and the service it asks for; refuses nothing."""
    case.dialled = clean(case.request.request_user)
    case.asked = case.hide_once = None
    case.call_class = class_of(case, case.dialled)
    if case.call_class == "normal" and case.dialled[:1] in ("*", "#"):
        service_codes.read(case)
        case.call_class = class_of(case, case.dialled)


def class_of(case: Case, number: str) -> CallClass:
    """What the lists of the brand say of a number, for the client's country."""
    country = case.client.country
    if case.brand.emergency_numbers.has(number, country):
        return "emergency"
    if case.brand.special_numbers.has(number, country):
        return "special"
    return "normal"


def explain(case: Case) -> str:
    """`dialled 112: emergency`."""
    return f"dialled {case.dialled}: {case.call_class}"
