"""The dialled string before any transformation (domain.md section 4.3): emergency and special numbers.

Looked up here, and by `numbers` again on the E.164 form; the emergency list wins over the special one.
"""

from __future__ import annotations

from call_control.domain.admission.case import CallClass, Case

_SEPARATORS = str.maketrans("", "", "-.() ")  # RFC 3966 section 5.1.1, and the space people type


def clean(user: str) -> str:
    """The user part without parameters (`;phone-context=...`) and, in a number, without separators."""
    if user.isdigit():
        return user
    user = user.partition(";")[0]
    bare = user.translate(_SEPARATORS)
    return bare if bare.lstrip("+").isdigit() else user


def judge(case: Case) -> None:
    """Set the dialled string and the class it gives the call; refuses nothing."""
    case.dialled = clean(case.request.request_user)
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
