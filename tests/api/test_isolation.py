"""Promise 5, walked: every operation x every kind of stranger x ids of another tenant.

The walk is made from the OpenAPI documents. An operation that is new is walked by itself; when the walk lacks
an id or a good body for it, `test_the_walk_knows_every_operation` fails and says where to put one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from landline.chassis.embedded.rest_client import RestClient
from landline.contracts.rights import KNOWN

from tests.support.api_bodies import completed, good_body, id_places, with_id
from tests.support.api_surface import SERVICES, Operation
from tests.support.api_tenants import Tenant, Town, kind_of

REFUSED = {403, 404, 422}
HOW_TO_COVER = """
The isolation walk cannot cover {what}.
  a row that cannot be made: give its resource a body in EXTRA of tests/support/api_bodies.py
  an id field of an unknown kind: say which collection it points into, in KIND_OF_FIELD of api_tenants.py
  a path parameter: say what stands for it, in IN_PATHS of api_tenants.py
{details}"""

# Fields that end in `_id` and name no row of a tenant.
NO_ROW = {
    "request_id",
    "attempt_id",
    "sip_call_id",
    "instance_id",
    "boot_id",
    "leg_call_id",
    "entity_id",
    "tax_id",
    "remote_party_id",
}
# Streams: opened, looked at, and closed again.
STREAM_READ_S = 1.0


def request(
    who: RestClient, operation: Operation, path: str, body: Any = None, **more: Any
) -> httpx.Response:
    """One request as somebody; a stream is closed after its first second."""
    headers = {"X-Reason": "walk", "Idempotency-Key": str(uuid4()), **more.pop("headers", {})}
    if "text/event-stream" in operation.kinds:
        return _first_of_stream(who, operation, path, headers, **more)
    content: dict[str, Any] = {}
    found = operation.body()
    if found is not None and found[0] == "multipart/form-data":
        content = {"files": {"file": ("a.csv", b"destination,prefix,rate,connect fee,increment\n")}}
        content["data"] = {"metadata": "{}", **(body or {})}
    elif body is not None:
        content = {"json": body}
    return who.http.request(operation.method, path, headers=headers, **content, **more)


def _first_of_stream(
    who: RestClient, operation: Operation, path: str, headers: dict[str, str], **more: Any
) -> httpx.Response:
    read = b""
    with who.http.stream(operation.method, path, headers=headers, timeout=STREAM_READ_S, **more) as answer:
        try:
            for chunk in answer.iter_raw():
                read += chunk
        except httpx.ReadTimeout:
            pass
        return httpx.Response(answer.status_code, content=read, request=answer.request)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    problem = "problem+json" in answer.headers.get("content-type", "")
    return answer.status_code, str(answer.json().get("code")) if problem else ""


def walked(town: Town, service: str) -> list[Operation]:
    """What people and integrators may call: not the edge's interface, which has no tenants, nor redirects."""
    return [
        operation
        for operation in town.surface.of_service(service)
        if not operation.is_for_edges and any(status[0] == "2" for status in operation.spec["responses"])
    ]


def collection(operation: Operation) -> str:
    """The collection of the first id in the path."""
    words = operation.below.split("/")
    return words[next(i for i, word in enumerate(words) if word.startswith("{")) - 1]


@pytest.mark.parametrize("service", SERVICES)
def test_the_walk_knows_every_operation(town: Town, service: str) -> None:
    """An address that the walk cannot fill would be walked with nothing, and prove nothing."""
    lacking = []
    for operation in walked(town, service):
        if town.alpha.path(operation) is None:
            lacking.append(f"the path of {operation}: {town.alpha.missing.get(collection(operation))}")
        found = operation.body()
        for place in id_places(operation, found[1]) if found else ():
            name = place[-2] if place[-1] == "0" else place[-1]
            kind = kind_of(name)
            planned = kind in KNOWN and not town.alpha.is_served(kind)  # named by the contract, not built yet
            if name not in NO_ROW and town.alpha.reference(name) is None and not planned:
                lacking.append(f"{'.'.join(place)} of {operation} ({kind}: {town.alpha.missing.get(kind)})")
    assert lacking == [], HOW_TO_COVER.format(what=f"all of {service}", details="\n".join(lacking))


@pytest.mark.parametrize("service", SERVICES)
def test_ids_of_others_in_paths_are_like_ids_that_do_not_exist(town: Town, service: str) -> None:
    """A guessed or leaked id is worth nothing, and its answer does not even tell that it exists."""
    wrong, seen = {}, 0
    for operation in (o for o in walked(town, service) if o.path_parameters):
        for name, who, own in watchers(town, operation):
            answer = request(who, operation, str(town.alpha.path(operation)), own_body(own, operation))
            nothing = nowhere(town.alpha, operation)
            ghost = request(who, operation, nothing, own_body(own, operation))
            seen += 1
            if not answer.status_code == ghost.status_code in REFUSED or code_of(answer) != code_of(ghost):
                wrong[f"{name}: {operation}"] = (code_of(answer), code_of(ghost), answer.text[:200])
    assert wrong == {}
    assert seen or service == "nothing"


def watchers(town: Town, operation: Operation) -> Iterator[tuple[str, RestClient, Tenant]]:
    """Those for whom the row in this path must not exist, with the tenant whose rows they have."""
    kind = collection(operation)
    if operation.method == "GET" and not town.alpha.owns(kind):
        return  # the platform's own row: whoever may read it reads it; nobody but the platform writes it
    for name, who in town.strangers.items():
        yield name, who, town.beta
    if _is_of_a_client(town.alpha, kind):
        for name, who in town.neighbours.items():
            yield name, who, town.neighbour


def _is_of_a_client(tenant: Tenant, kind: str) -> bool:
    return kind in CLIENTS_OWN


CLIENTS_OWN = {"clients", "devices", "ddis", "calls", "call-records", "authorized-sources", "postings",
               "notifications", "rejections", "rating-profiles", "admins", "api-keys"}  # fmt: skip


def own_body(own: Tenant, operation: Operation) -> Any:
    """A body that only names the stranger's own rows; a patch changes nothing."""
    found = operation.body()
    if found is None or found[0] != "application/json":
        return None if found is None else {}
    return {} if operation.method == "PATCH" else good_body(operation, own.reference)


def nowhere(tenant: Tenant, operation: Operation) -> str:
    """The path with an id that nobody has."""
    path, known = str(tenant.path(operation)), tenant.row(collection(operation), operation.service)
    ghost = f"0-{uuid4()}" if "-" in str(known) and len(str(known)) > 36 else str(uuid4())
    return path.replace(str(known), ghost)


@pytest.mark.parametrize("service", SERVICES)
def test_lists_hold_nothing_of_others(town: Town, service: str) -> None:
    """Neither plain, nor by any filter that takes an id, nor as CSV."""
    wrong = {}
    for operation in (o for o in walked(town, service) if o.method == "GET" and not o.path_parameters):
        for name, who in {**town.strangers, **town.neighbours}.items():
            hidden = _hidden_from(town, name)
            for query, kind in asked(town, operation):
                headers = {"Accept": kind}
                answer = request(who, operation, operation.path, params=query, headers=headers)
                shown = [word for word in hidden if word in answer.text]
                if answer.status_code not in {200, *REFUSED} or shown:
                    wrong[f"{name}: {operation} {query} {kind}"] = (answer.status_code, shown)
    assert wrong == {}


def _hidden_from(town: Town, name: str) -> set[str]:
    """What must not show: all of Alpha's rows, or for a neighbour those of Alpha's first client."""
    alpha = town.alpha
    if name.startswith("neighbour"):
        kinds = CLIENTS_OWN & set(alpha.rows)
        return {alpha.home.id, alpha.home.number, *(alpha.rows[k] for k in kinds)}
    own = {row for kind, row in alpha.rows.items() if alpha.owns(kind.rpartition(":")[2])}
    return {alpha.brand.id, alpha.home.id, alpha.home.number, alpha.brand.domain, *own}


def asked(town: Town, operation: Operation) -> Iterator[tuple[dict[str, str], str]]:
    """The plain list, and each filter with an id of Alpha's; as JSON, and as CSV where there is CSV."""
    kinds = ["application/json", *(["text/csv"] if "text/csv" in operation.kinds else [])]
    queries: list[dict[str, str]] = [{"limit": "500"} if operation.is_list else {}]
    for parameter in operation.query_parameters:
        name, _, how = parameter.partition("__")
        if how not in ("", "in"):
            continue
        value = town.alpha.row(operation.below, operation.service) if name == "id" else None
        if name.endswith("_id") and name not in NO_ROW:
            value = town.alpha.reference(name)
        if value:
            queries.append({parameter: value})
    for kind in kinds:
        for query in queries:
            # CSV is the same query written otherwise: the plain one and the tenants' own filters suffice.
            if kind == "application/json" or set(query) <= {"limit", "brand_id", "client_id"}:
                yield query, kind


@pytest.mark.parametrize("service", SERVICES)
def test_bodies_cannot_name_rows_of_others(town: Town, service: str) -> None:
    """A reference is a way in, too: on creation, in a change, in bulk, in an action."""
    wrong, seen = {}, 0
    for operation in walked(town, service):
        found = operation.body()
        if found is None:
            continue
        for name, who, own in strangers_who_write(town):
            path = own.path(operation)
            if path is None:
                continue
            body = own_body(own, operation)
            for place in id_places(operation, found[1]):
                field = place[-2] if place[-1] == "0" else place[-1]
                foreign = town.alpha.reference(field) if field not in NO_ROW else None
                if foreign is None or foreign == own.reference(field):
                    continue
                if not town.alpha.owns(kind_of(field)) and field not in ("brand_id", "client_id"):
                    continue
                answer = _refused_for_it(who, operation, path, with_id(body, place, foreign), own)
                seen += 1
                if answer.status_code not in REFUSED:
                    wrong[f"{name}: {operation} {'.'.join(place)}"] = (answer.status_code, answer.text[:200])
    assert wrong == {}
    assert seen or service in ("call-control",)


def strangers_who_write(town: Town) -> Iterator[tuple[str, RestClient, Tenant]]:
    """Another brand's operator, client and key; another client of the same brand."""
    for name, who in town.strangers.items():
        yield name, who, town.beta
    for name, who in town.neighbours.items():
        yield name, who, town.neighbour


def _refused_for_it(
    who: RestClient, operation: Operation, path: str, body: Any, own: Tenant
) -> httpx.Response:
    """The answer, once the body lacks nothing else: a refusal for another reason would prove nothing."""
    answer = request(who, operation, path, body)
    for _ in range(2):
        more = completed(operation, body, answer.json(), own.reference) if answer.status_code == 422 else None
        if more is None:
            break
        body, answer = more, request(who, operation, path, more)
    return answer


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_token_or_with_an_edges_nothing_opens(town: Town, service: str) -> None:
    """Anonymous: 401 everywhere but at the door; an edge's key opens no management, a person no edge API."""
    wrong = {}
    for operation in town.surface.of_service(service):
        path = str(
            town.alpha.path(operation) or operation.path.replace("{call_id}", town.alpha.rows["calls"])
        )
        body = own_body(town.beta, operation)
        anonymous = request(town.people["anonymous"], operation, path, body)
        if not operation.is_open and anonymous.status_code != 401:
            wrong[f"anonymous: {operation}"] = anonymous.status_code
        others = ("beta key", "beta operator", "platform") if operation.is_for_edges else ("edge key",)
        for name in () if operation.is_open else others:
            answer = request(town.people[name], operation, path, body)
            if answer.status_code not in (401, 403):
                wrong[f"{name}: {operation}"] = answer.status_code
    assert wrong == {}


def test_what_is_open_without_a_token_is_known(town: Town) -> None:
    """A route that forgot its token would be walked as a door."""
    assert {o.below for o in town.surface.operations if o.is_open} == {
        "auth/login",
        "auth/refresh",
        "auth/jwks",
        "auth/password-reset",
        "auth/password-reset/confirm",
    }


def test_after_all_that_nothing_of_alphas_has_changed(town: Town) -> None:
    """Refusals that had an effect all the same would show here: rows, versions, and what is not in lists."""
    for key, row in town.alpha.rows.items():
        owner, _, kind = key.rpartition(":")
        for service in [owner] if owner else SERVICES:
            one = town.surface.find("GET", f"/api/{service}/v1/{kind}/{{id}}")
            if one is not None and one in walked(town, service):
                answer = town.people["platform"].http.get(one.path.replace("{id}", row))
                assert answer.status_code == 200, f"{kind}: {answer.text}"
    trail = town.people["platform"].get(
        "/api/provisioning/v1/audit-log", brand_id=town.alpha.brand.id, limit=500
    )
    strange = [e for e in trail["items"] if "beta" in e["username"] or "neighbour" in e["username"]]
    assert [e for e in strange if e["client_id"] != town.neighbour.home.id] == []
