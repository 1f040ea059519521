"""Where a call from outside goes (domain.md section 5): a device, a box, or on by a forward."""

from __future__ import annotations

from call_control.domain.admission.arrival import ANONYMOUS
from call_control.domain.admission.caps import RING_S
from call_control.domain.admission.case import Case, FaxTarget, Target, VoicemailTarget
from call_control.domain.admission.numbers import rewritten
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import Contact, DeviceFacts
from call_control.domain.forwarding import CallForward, Diverted


def judge_target(case: Case) -> Denial | None:
    """Where the called number leads; nothing to do where the filter has sent the call elsewhere."""
    assert case.ddi is not None
    if case.diverted is not None or case.targets:
        return None
    if case.ddi.target == "fax" and case.ddi.fax_id:
        case.targets = (FaxTarget.of(case.ddi.fax_id, case.server),)
        return None
    device = case.facts.device
    if device is None or case.ddi.target not in ("device", "voicemail"):
        return deny("no_destination", f"{case.callee} has target {case.ddi.target}")
    if case.ddi.target == "voicemail":
        case.targets = (VoicemailTarget.of(device.id, case.server),)
        return None
    return _judge_device(case, device)


def _judge_device(case: Case, device: DeviceFacts) -> Denial | None:
    if not device.enabled:
        return deny("disabled", f"device {device.name} is disabled")
    case.device = device
    if go_on(case, device, "unconditional"):
        return None
    live = live_contacts(case, device)
    if live:
        case.targets = (device_target(case, device, live),)
        return None
    if go_on(case, device, "not_registered"):
        return None
    return deny("not_registered", f"device {device.name} is not registered")


def go_on(case: Case, device: DeviceFacts, kind: str) -> bool:
    """Take the device's forward of a kind, if it has one that leads somewhere."""
    forward = device.forwards.get(kind)
    if forward is None:
        return False
    if forward.number is not None:
        case.diverted, case.targets = Diverted(kind, forward.number), ()
    elif forward.voicemail_device_id is not None:
        case.targets = (_box(case, forward),)
    return case.diverted is not None or forward.voicemail_device_id is not None


def _box(case: Case, forward: CallForward) -> VoicemailTarget:
    return VoicemailTarget.of(forward.voicemail_device_id or "", case.server)


def live_contacts(case: Case, device: DeviceFacts) -> tuple[Contact, ...]:
    """Where the device is reached now: its own address, or its registrations; only the latest without
    multi_contact."""
    contacts = (_direct(device),) if device.direct else case.arrival.contacts
    live = tuple(each for each in contacts if device.direct or each.expires_at_ms > case.now_ms)
    return live if device.multi_contact else live[:1]


def _direct(device: DeviceFacts) -> Contact:
    host = f"[{device.ip}]" if device.ip and ":" in device.ip else device.ip
    port = f":{device.port}" if device.port else ""
    return Contact(uri=f"sip:{device.name}@{host}{port};transport={device.transport}")


def device_target(case: Case, device: DeviceFacts, contacts: tuple[Contact, ...]) -> Target:
    """Numbers as the device or its client writes them; nothing of a caller who withholds."""
    set_id = device.transformation_set_id or case.client.transformation_set_id
    rules = case.brand.sets.get(set_id or "")
    shown = ANONYMOUS if case.withhold else rewritten(case.brand, rules, "caller_out", case.shown)
    called = rewritten(case.brand, rules, "callee_out", case.callee) if device.ddi_in else None
    display = "Anonymous" if case.withhold else case.ddi.display_name if case.ddi else None
    unanswered = device.forwards.get("no_answer")
    return Target(
        aor=f"{device.name}@{case.brand.sip_domain}",
        contacts=contacts,
        parallel=device.multi_contact,
        ring_timeout_s=unanswered.timeout_s or RING_S if unanswered is not None else RING_S,
        request_user=called,
        caller=shown,
        caller_name=display or (None if case.withhold else case.request.from_display),
        codecs=device.codecs,
        srtp=device.srtp,
        t38=device.t38,
    )


def explain_target(case: Case) -> str:
    """`device casa1, 2 contacts`; `sip:vm+...`; `forward to +34600123123: user-busy`."""
    if case.diverted is not None:
        return f"forward to {case.diverted.number}: {case.diverted.reason}"
    target = case.targets[0]
    if isinstance(target, Target):
        return f"device {case.device.name}, {len(target.contacts)} contacts"
    return target.uri
