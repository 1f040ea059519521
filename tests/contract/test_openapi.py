"""Names are fixed (contracts sections 3 and 4): integrators, the edge and black-box tests rely on them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from landline.chassis.embedded.services import load_services
from landline.chassis.settings import Settings

from tests.support.openapi_rules import faults, lint, operations, refs, resolve

CRUD = ("get", "post"), ("get", "patch", "delete")
FIRST_CUT: dict[str, dict[str, Any]] = {
    "provisioning": {
        "auth/login auth/refresh auth/logout auth/impersonate auth/password auth/otp": "post",
        "auth/me auth/jwks": "get",
        "auth/password-reset auth/password-reset/confirm": "post",
        "admins/{}/grants": "get post",
        "admins/{}/grants/{}": "put delete",
        "brands clients devices ddis authorized-sources carriers carrier-servers routes destination-patterns"
        " transformation-sets transformation-rules edges admins api-keys special-numbers emergency-numbers"
        " ddi-providers ddi-provider-addresses media-relay-sets application-server-sets"
        " notification-templates": CRUD,
        "match-lists match-list-entries call-filters call-forwards ddi-provider-registrations": CRUD,
        "devices/{}/registrations": "get",
        "ddis/{}/unlink ddis/bulk ddis/bulk-assign ddis/bulk-unlink ddis/import": "post",
        "jobs jobs/{}": "get",
        "brands/{}/apply": "post",
        "client-setups": "get post",
        "client-setups/{}": "get",
        "brands/{}/export": "get",
        "transformation-sets/{}/try": "post",
        "audit-log countries currencies timezones languages banned-addresses": "get",
        "banned-addresses/{}": "delete",
        "brands/{}/logo": "get put delete",
    },
    "call-control": {
        "calls": "get post",
        "calls/{}/ringing calls/{}/answered calls/{}/ended calls/{}/failed calls/{}/hangup": "post",
        "edges/heartbeat edges/resync registrations auth-failures": "post",
        "credentials edges/peers edges/fallback": "get",
        "clients/{}/usage calls/events audit-log rejections rejections/{}": "get",
        "simulate": "post",
    },
    "billing": {
        "rate-decks rating-plans rating-profiles": CRUD,
        "rate-decks/{}/import": "post",
        "rates postings call-records call-records/{} jobs/{} audit-log": "get",
        "rating-plans/{}/entries": "get post",
        "clients/{}/balance": "get",
        "clients/{}/balance/operations price-quotes": "post",
    },
    "notifier": {
        "notification-templates": CRUD,
        "notifications audit-log": "get",
        "notifications/{}/resend": "post",
    },
}  # fmt: skip


@cache
def document(service: str) -> dict[str, Any]:
    """The service's OpenAPI as it is served."""
    found = next(each for each in load_services() if each.name == service)
    return found.app(Settings(_env_file=None)).openapi()


def promised(service: str) -> set[str]:
    """`get clients/{}` and so on."""
    wanted: set[str] = set()
    for names, how in FIRST_CUT[service].items():
        for name in names.split():
            if isinstance(how, str):
                wanted |= {f"{method} {name}" for method in how.split()}
            else:
                wanted |= {f"{method} {name}" for method in how[0]}
                wanted |= {f"{method} {name}/{{}}" for method in how[1]}
    return wanted


@pytest.mark.parametrize("service", FIRST_CUT)
def test_the_openapi_document_is_valid(service: str) -> None:
    """A generator of clients stops at the first dangling reference."""
    assert faults(document(service)) == []


@pytest.mark.parametrize("service", FIRST_CUT)
def test_every_promised_resource_is_served(service: str) -> None:
    """Below the service's own base, with the promised methods."""
    base = f"/api/{service}/v1/"
    served = set()
    for method, path, _ in operations(document(service)):
        assert path.startswith(base), path
        words = ["{}" if word.startswith("{") else word for word in path.removeprefix(base).split("/")]
        served.add(f"{method} {'/'.join(words)}")
    assert promised(service) - served == set()


@pytest.mark.parametrize("service", FIRST_CUT)
def test_every_operation_is_described_and_shown_by_example(service: str) -> None:
    """People read the document before the code, and generators make clients of it."""
    assert lint(document(service)) == []


@pytest.mark.parametrize("service", FIRST_CUT)
def test_every_operation_says_how_it_refuses(service: str) -> None:
    """Errors are problem details everywhere; whoever needs a token may be told 401."""
    silent = []
    for method, path, operation in operations(document(service)):
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")) and "application/problem+json" not in answer.get("content", {}):
                silent.append(f"{method} {path} {status}")
        if operation.get("security") and "401" not in operation["responses"]:
            silent.append(f"{method} {path}: 401")
    assert silent == []


FIELDS = {
    ("call-control", "CallRequest"): "attempt_id sip_call_id direction source_ip source_port transport"
    " auth_user auth_realm from_user from_domain from_display request_user request_domain asserted_identity"
    " diversion privacy fax user_agent",
    ("call-control", "AllowAnswer"): "decision call_id ticket client_id brand_id device_id ddi_id"
    " billing_method caller callee withhold max_duration_s record media_relay_set application_server"
    " language routes",
    ("call-control", "Deny"): "decision attempt_id reason sip_code sip_reason retry_after_s announcement"
    " detail",
    ("call-control", "Leg"): "carrier_id server_id uri outbound_proxy from_user from_display from_domain pai"
    " rpid privacy diversion auth_user auth_realm auth_ha1 ring_timeout_s t38 srtp",
    ("call-control", "Answered"): "at server_id handle",
    ("call-control", "Ended"): "at answered_at sip_code cause ended_by server_id attempts leg_call_id ticket",
    ("call-control", "Heartbeat"): "instance_id boot_id seq last taken_at calls",
    ("call-control", "HeartbeatAnswer"): "hang_up unknown extend resync",
    ("call-control", "UsageOut"): "active_calls day day_spend day_held max_daily_usage available held",
}  # fmt: skip


@pytest.mark.parametrize(("service", "schema"), FIELDS, ids=lambda value: str(value))
def test_fields_keep_their_names(service: str, schema: str) -> None:
    """Kamailio's script picks these out of the answer by name."""
    found = resolve(document(service), f"#/components/schemas/{schema}")
    assert found is not None, schema
    assert set(FIELDS[service, schema].split()) - set(found["properties"]) == set()


DESCRIBED = {
    "provisioning": "Client Brand BrandPage InvoiceData Device Ddi DdiProvider DdiProviderAddress"
    " DdiProviderRegistration Carrier CarrierServer Route CallForward CallFilter Opening AuthorizedSource"
    " Admin ApiKey Edge Job ProblemDetails FieldProblem MediaRelaySet ApplicationServerSet MatchList"
    " MatchListEntry Barring DestinationPattern DestinationPatternGroup RiskClass SpecialNumber"
    " EmergencyNumber ServiceCode TransformationSet TransformationRule DeviceRegistration Me",
    "billing": "CallRecord Posting QuoteRead QuoteLine Job Rate RateDeck RatingPlan RatingPlanEntry"
    " RatingProfile Balance BalanceOperation OperationDone",
    "notifier": "Notification NotificationTemplate Words",
}


@pytest.mark.parametrize("service", DESCRIBED)
def test_every_field_of_what_portals_show_says_what_it_means(service: str) -> None:
    """Whoever builds a form has only the document: a bare name leaves unit, default and null to guessing."""
    schemas = document(service)["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for shown in DESCRIBED[service].split()
        for name in (shown, f"{shown}Create", f"{shown}Patch")
        if name == shown or name in schemas
        for field, about in schemas[name]["properties"].items()
        if not about.get("description")
    ]
    assert bare == []


CLIENT = (
    "id brand_id name billing_method features language country timezone currency transformation_set_id"
    " max_calls ip_filter geoip_countries max_daily_usage daily_usage_emails outgoing_ddi_id"
    " show_billing_details"
)


def test_a_client_has_the_fields_of_the_contract() -> None:
    """The example of contracts section 3."""
    spec = document("provisioning")
    answer = spec["paths"]["/api/provisioning/v1/clients/{id}"]["get"]["responses"]["200"]
    schema = resolve(spec, answer["content"]["application/json"]["schema"]["$ref"])
    assert set(CLIENT.split()) - set(schema["properties"]) == set()


EDGE_TAG = "edge"


def test_whoever_integrates_an_edge_is_told_what_every_field_means() -> None:
    """An edge is written from this document alone: a field without words is guessed, at a caller's cost."""
    whole = document("call-control")
    schemas = whole["components"]["schemas"]
    reached = _reached(whole, {"ProblemDetails"})
    silent = [
        f"{name}.{field}"
        for name in sorted(reached)
        for field, schema in schemas[name].get("properties", {}).items()
        if not schema.get("description")
    ]
    assert "CallRequest" in reached
    assert silent == []


def test_an_operation_of_the_edge_says_more_than_its_name() -> None:
    """What it does, whether it may be repeated, what it answers."""
    own = [each for _, _, each in operations(document("call-control")) if EDGE_TAG in each.get("tags", ())]
    assert len(own) == 14
    assert [each["summary"] for each in own if len(each["description"]) < 2 * len(each["summary"])] == []


def _reached(whole: dict[str, Any], others: set[str]) -> set[str]:
    """Names of the schemas that the edge's operations use, without `others`."""
    found: set[str] = set()
    waiting: list[Any] = [each for _, _, each in operations(whole) if EDGE_TAG in each.get("tags", ())]
    while waiting:
        for ref in refs(waiting.pop()):
            name = ref.rpartition("/")[2]
            if name not in found | others:
                found.add(name)
                waiting.append(whole["components"]["schemas"][name])
    return found
