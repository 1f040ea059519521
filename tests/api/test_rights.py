"""Rights of restricted admins and keys: every operation needs one, and every one opens something.

`landline.contracts.rights` names what rights are given on; it is compared with the OpenAPI documents. An
endpoint added tomorrow is asked tomorrow, without a line here unless its method does not tell what it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from landline.chassis.embedded.rest_client import RestClient
from landline.contracts.rights import KNOWN, RESOURCES

from tests.api.test_isolation import request, walked
from tests.support.api_surface import SERVICES, Operation
from tests.support.api_tenants import Town
from tests.support.world import PROVISIONING

per_service = pytest.mark.parametrize("service", SERVICES)
LETTERS = "crud"
BY_METHOD = {"GET": "r", "POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}

# Operations whose method does not tell what they do: asked by their method until they stand here.
DOES: dict[str, str] = {
    "POST transformation-sets/{id}/try": "r",
    "POST notification-templates/preview": "r",
    "POST price-quotes": "r",
    "POST simulate": "r",
    "POST brands/{id}/apply": "r",  # and for each write that it comes to, the right to that write
    "PUT brands/{id}/logo": "u",
    "DELETE brands/{id}/logo": "u",
    "POST admins/{id}/grants": "u",
    "DELETE admins/{id}/grants/{resource}": "u",
    "POST ddis/bulk-assign": "u",
    "POST ddis/bulk-unlink": "u",
    "POST ddis/{id}/unlink": "u",
    "POST calls/{call_id}/hangup": "d",
    "POST rate-decks/{id}/import": "u",
    "POST clients/{client_id}/balance/operations": "u",
}
# Open to everybody with a token: one's own account, and what every form needs to be filled in.
FOR_ALL = {"countries", "countries/of-address", "currencies", "timezones", "languages", "notification-kinds"}
# Rights that can be given today on what later work serves.
PLANNED = {
    "invoices", "invoice-sequences", "invoice-schedules", "invoice-templates", "fixed-costs",
    "report-schedules", "reports", "low-balance-alerts", "faxes", "fax-messages", "voicemails",
    "voicemail-messages", "recordings", "webhooks", "webhook-deliveries",
}  # fmt: skip


@pytest.fixture(scope="module")
def restricted(town: Town) -> Iterator[dict[str, RestClient]]:
    """A key for each letter that may do this alone, on everything; and "" that may do nothing."""
    found = {letter: _key(town, letter) for letter in ("", *LETTERS)}
    yield found
    for who in found.values():
        who.http.close()


def _key(town: Town, letter: str) -> RestClient:
    rights = dict.fromkeys(sorted(KNOWN), letter)
    body = {"name": f"only {letter or 'nothing'}", "restricted": True, "rights": rights}
    made = town.alpha.api.post(f"{PROVISIONING}/api-keys", body)
    return RestClient(town.alpha.platform.stack.url, made["key"])


def guarded(town: Town, service: str) -> Iterator[Operation]:
    """What needs a right."""
    for operation in walked(town, service):
        if (
            not operation.is_open
            and not operation.below.startswith("auth/")
            and operation.below not in FOR_ALL
        ):
            yield operation


def ask(who: RestClient, town: Town, operation: Operation) -> httpx.Response:
    """With ids that nobody has and an empty body: a right is asked for before anything else is looked at."""
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace(
            f"{{{name}}}", {"resource": "clients", "address": "192.0.2.9"}.get(name, str(uuid4()))
        )
    return request(who, operation, path, {} if operation.body() else None)


def resource_of(answer: httpx.Response) -> str:
    """The resource that a refusal names."""
    return str(answer.json()["detail"]).rpartition(" ")[2]


@per_service
def test_nothing_opens_without_a_right(town: Town, restricted: dict[str, RestClient], service: str) -> None:
    """403 before the body and the id are looked at, naming a kind of resource on which rights are given."""
    wrong: dict[str, Any] = {}
    for operation in guarded(town, service):
        answer = ask(restricted[""], town, operation)
        refused = answer.status_code == 403 and answer.json()["code"] == "no_right"
        if not refused or resource_of(answer) not in KNOWN:
            wrong[str(operation)] = (answer.status_code, answer.text[:200])
    assert wrong == {}


@per_service
def test_the_one_right_opens_it(town: Town, restricted: dict[str, RestClient], service: str) -> None:
    """The letter that the method (or DOES) says, and no other one."""
    wrong: dict[str, Any] = {}
    for operation in guarded(town, service):
        needed = DOES.get(f"{operation.method} {operation.below}", BY_METHOD[operation.method])
        for letter in LETTERS:
            if letter != needed and operation.method == "GET":
                continue  # of reads, "" is asked above
            answer = ask(restricted[letter], town, operation)
            if (answer.status_code == 403) != (letter != needed):
                wrong[f"{operation} with {letter}"] = (answer.status_code, answer.text[:200])
    assert wrong == {}


def test_every_right_is_on_something_that_is_served(town: Town, restricted: dict[str, RestClient]) -> None:
    """A right on nothing misleads who gives it; those on what is planned are known."""
    served: dict[str, set[str]] = {}
    for service in SERVICES:
        answers = [ask(restricted[""], town, operation) for operation in guarded(town, service)]
        served[service] = {resource_of(answer) for answer in answers if answer.status_code == 403}
    unserved = {s: set(RESOURCES[s]) - served[s] - PLANNED for s in SERVICES}
    assert unserved == {service: set() for service in SERVICES}
    assert set().union(*served.values()) <= KNOWN
    assert set(DOES) <= {f"{o.method} {o.below}" for o in town.surface.operations}
