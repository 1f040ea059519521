"""Numbers of the call in E.164 (domain.md section 4.5)."""

from __future__ import annotations

from landline.kernel.numbers import is_e164
from landline.numbering.transformations import Direction, TransformationSet

from call_control.domain.admission.case import Case
from call_control.domain.admission.dialled import class_of, clean
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts

NUMBERS_KEPT = 100_000


def judge(case: Case) -> Denial | None:
    """Callee by callee-in; caller, of the identity headers and never of From, by caller-in."""
    rules = case.transformations()
    callee = rewritten(case.brand, rules, "callee_in", case.dialled)
    if case.call_class == "normal":
        case.call_class = class_of(case, callee)
    code = case.client.calling_code
    if case.call_class == "normal" and code and callee.startswith(code):
        case.call_class = class_of(case, callee[len(code) :])  # +34112 and 0034112 are 112 all the same
    if case.call_class == "normal" and not is_e164(callee):
        return deny("invalid_number", f"dialled {case.dialled[:40]}, read as {callee[:40]}")
    case.callee = callee
    asserted = asserted_number(case.request)
    case.caller = rewritten(case.brand, rules, "caller_in", asserted) if asserted else ""
    return None


def rewritten(brand: BrandFacts, rules: TransformationSet | None, direction: Direction, number: str) -> str:
    """The number by a set's rules. Homes show and dial the same few numbers again and again, so the brand
    remembers what they become."""
    if rules is None:
        return number
    memo, key = brand.number_memo, (id(rules), direction, number)
    known = memo.get(key)
    if known is None:
        known = rules.apply(direction, number).result
        if len(memo) >= NUMBERS_KEPT:
            memo.clear()  # a scanner's numbers must not keep the homes' out for good
        memo[key] = known
    return known


def asserted_number(request: CallRequest) -> str:
    """The number the device asserts: P-Asserted-Identity, else P-Preferred-Identity, else Remote-Party-ID.

    Empty for none and for an anonymous one: From is identity, not caller id (RFC 3325 section 9).
    """
    header = request.asserted_identity or request.preferred_identity or request.remote_party_id
    return user_of(header) if header else ""


def user_of(header: str) -> str:
    """The user of `944048182`, `sip:944048182@host`, `"A" <sip:944048182@host>;x=y`; empty if anonymous."""
    if "<" in header:
        header = header.partition("<")[2].partition(">")[0]
    scheme, colon, rest = header.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        header = rest
    user = clean(header.partition("@")[0])
    return "" if user.lower() == "anonymous" else user


def explain(case: Case) -> str:
    """`callee +34600123123, caller +34944048182`."""
    again = "" if case.call_class == "normal" else f", {case.call_class}"
    return f"callee {case.callee}, caller {case.caller or 'none'}{again}"
