"""Two brands with a row of every kind, made through the API, and the people, keys and edges around them.

Rows come from the world's own stories, from what those caused (records, postings, mails), or from a POST
with a body made by schema (`api_bodies`). What cannot be made is kept in `missing`, for a test to tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from billing.api import REGISTRY as BILLING_REGISTRY
from landline.chassis.embedded.rest_client import RestClient
from provisioning.main import REGISTRY as PROVISIONING_REGISTRY

from tests.support.api_bodies import completed, good_body
from tests.support.api_surface import SERVICES, Operation, Surface
from tests.support.world import MOBILE, PROVISIONING, Brand, Home, Platform, until

# Fields that name a row of another kind than their own name says, where no declaration tells.
KIND_OF_FIELD = {
    "ddi_id": "ddis",
    "outgoing_ddi_id": "ddis",
    "server_id": "carrier-servers",
    "resend_of": "notifications",
    "target_id": "devices",
}
# Path parameters that are no row's id of the collection before them: what stands for them in a walk.
IN_PATHS = {
    ("admins/{id}/grants/{resource}", "resource"): "clients",
    ("banned-addresses/{address}", "address"): "192.0.2.77",
    ("rating-plans/{id}/entries/{entry_id}", "entry_id"): "@entries",
}


def declared_kinds() -> dict[str, str]:
    """Field name -> collection, as the resources declare their references."""
    found = {}
    for registry in (PROVISIONING_REGISTRY, BILLING_REGISTRY):
        for resource in registry.resources:
            for name, reference in resource.references.items():
                found[name] = reference.table_name.replace("_", "-")
    return found


def kind_of(name: str) -> str:
    """The collection a field points into: `device_id` -> devices, `carrier_ids` -> carriers."""
    name = name.removesuffix("s") if name.endswith("_ids") else name
    known = {**declared_kinds(), **KIND_OF_FIELD}
    return known.get(name) or known.get(f"{name}s") or _plural(name.removesuffix("_id").replace("_", "-"))


def _plural(word: str) -> str:
    return word + "es" if word.endswith(("x", "s", "ch")) else word + "s"


@dataclass
class Tenant:
    """A brand, one of its clients, and the id of a row of every collection."""

    platform: Platform
    surface: Surface
    brand: Brand
    home: Home
    rows: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _owned: dict[str, bool] = field(default_factory=dict)

    @property
    def api(self) -> RestClient:
        """The platform's own REST: it makes rows for anybody."""
        return self.platform.api

    def reference(self, name: str) -> str | None:
        """The id of this tenant's row that a field could name."""
        if name == "brand_id":
            return self.brand.id
        return self.row(kind_of(name))

    def row(self, kind: str, service: str = "") -> str | None:
        """The id of this tenant's row of a kind, made when there is none yet."""
        key = self._key(kind, service)
        if key in self.rows:
            return self.rows[key]
        for each in (service,) if ":" in key else SERVICES:
            listing = self.surface.find("GET", f"/api/{each}/v1/{kind}")
            if listing is not None and listing.is_list and key not in self.missing:
                self.missing[key] = "wanted by itself"
                self._provide(listing)
                return self.rows.get(key)
        return None

    def _key(self, kind: str, service: str) -> str:
        """Collections of one name in several services (audit-log, jobs) have rows of their own in each."""
        served = [s for s in SERVICES if self._lists(s, kind)]
        return f"{service}:{kind}" if len(served) > 1 else kind

    def _lists(self, service: str, kind: str) -> bool:
        found = self.surface.find("GET", f"/api/{service}/v1/{kind}")
        return found is not None and found.is_list

    def is_served(self, kind: str) -> bool:
        """Whether any service has a collection of that name."""
        return any(self.surface.find("GET", f"/api/{service}/v1/{kind}") for service in SERVICES)

    def fill(self) -> None:
        """A row of every collection of every service."""
        for service in SERVICES:
            for listing in self.surface.collections(service):
                self.row(listing.below, service)

    def _provide(self, listing: Operation) -> None:
        found, key = self._first(listing), self._key(listing.below, listing.service)
        create = self.surface.find("POST", listing.path)
        if found is None and create is not None and not create.is_for_edges:
            found = self._made(create)
        if found is not None:
            self.rows[key] = found
            self.missing.pop(key, None)

    def _first(self, listing: Operation) -> str | None:
        wanted = {"client_id": self.home.id} if "client_id" in listing.query_parameters else {}
        if "brand_id" in listing.query_parameters:
            wanted["brand_id"] = self.brand.id
        if not wanted:
            return None
        items = self.api.get(listing.path, **wanted)["items"]
        return str(items[0]["id"]) if items and "id" in items[0] else None

    def _made(self, create: Operation) -> str | None:
        """A new row; what the first refusals ask for is added, what they complain about is kept."""
        body: dict[str, Any] | None = good_body(create, self.reference)
        for _ in range(4):
            assert body is not None
            answer = self.api.http.post(create.path, json=body)
            if answer.status_code == 201:
                return str(answer.json()["id"])
            self.missing[create.below] = f"{answer.status_code} {answer.text} for {body}"
            body = completed(create, body, answer.json(), self.reference)
            if body is None:
                break
        return None

    def owns(self, kind: str) -> bool:
        """Whether its row of a kind is its own, not one of the platform's that all may read."""
        if kind not in self._owned:
            self._owned[kind] = self._is_own(kind)
        return self._owned[kind]

    def _is_own(self, kind: str) -> bool:
        if ":" in self._key(kind, "any"):
            return True
        for service in SERVICES:
            listing = self.surface.find("GET", f"/api/{service}/v1/{kind}")
            asked = {"id", "brand_id"} <= set(listing.query_parameters if listing else ())
            if listing is not None and asked and kind in self.rows:
                return bool(self.api.get(listing.path, id=self.rows[kind], brand_id=self.brand.id)["items"])
        return kind in ("brands", "clients", "calls", "@entries") or kind not in self.rows

    def path(self, operation: Operation) -> str | None:
        """An operation's path with this tenant's ids in it; None when one of them is not known."""
        path = operation.path
        words = operation.below.split("/")
        for place, word in enumerate(words):
            if not word.startswith("{"):
                continue
            value = IN_PATHS.get((operation.below, word[1:-1]))
            value = value or self.row(words[place - 1], operation.service)
            value = self.rows.get(value) if value and value.startswith("@") else value
            if value is None:
                return None
            path = path.replace(word, value, 1)
        return path


@dataclass
class Town:
    """Alpha, whose rows others must not see, and everybody who might try."""

    surface: Surface
    alpha: Tenant
    beta: Tenant
    neighbour: Tenant
    people: dict[str, RestClient]

    @property
    def strangers(self) -> dict[str, RestClient]:
        """Those for whom nothing of Alpha's exists."""
        return {name: who for name, who in self.people.items() if name.startswith("beta")}

    @property
    def neighbours(self) -> dict[str, RestClient]:
        """Those of another client of Alpha."""
        return {name: who for name, who in self.people.items() if name.startswith("neighbour")}


def build_town(platform: Platform) -> Town:
    """Everything, once per session."""
    surface = Surface.of(platform.stack.url)
    alpha = _tenant(platform, surface, platform.brand("Isle Alpha", features=_FEATURES))
    beta = _tenant(platform, surface, platform.brand("Isle Beta", features=_FEATURES))
    for tenant in (alpha, beta):
        _live_through(tenant)
        tenant.fill()
    other = alpha.brand.home()
    neighbour = Tenant(platform, surface, alpha.brand, other)
    neighbour.rows = {"clients": other.id, "devices": other.device_id, "ddis": other.ddi_id}
    return Town(surface, alpha, beta, neighbour, _people(platform, alpha, beta, neighbour))


_FEATURES = ["faxes", "recordings", "voicemail", "billing", "invoices", "webhooks"]


def _tenant(platform: Platform, surface: Surface, brand: Brand) -> Tenant:
    home = brand.home(
        billing_method="prepaid",
        balance="50.00",
        features=["faxes", "recordings", "voicemail"],
        max_daily_usage="0.50",
        daily_usage_emails=["a@example.net"],
        show_billing_details=True,
    )
    rows = {"brands": brand.id, "clients": home.id, "devices": home.device_id, "ddis": home.ddi_id}
    rows |= {kind: row for kind, row in brand.ids.items() if kind != "jobs"}
    return Tenant(platform, surface, brand, home, rows)


def _live_through(tenant: Tenant) -> None:
    """Calls, a denial and a mail, so that there are records of them."""
    edge, home, api = tenant.platform.edge(), tenant.home, tenant.api
    edge.denied(home, MOBILE)  # its first minute costs more than the day may: a denial and a mail
    home.change(max_daily_usage="20.00")
    until(lambda: edge.ask(home, MOBILE)["decision"] == "allow", "the limit was raised")
    call, live = edge.talk(home, MOBILE, 1), edge.admit(home, MOBILE)
    live.answered()
    hung_up = edge.admit(home, MOBILE)
    hung_up.answered()
    api.post(f"/api/call-control/v1/calls/{hung_up.id}/hangup", {}, X_Reason="tests")
    hung_up.ended()
    home.record(call.id)
    tenant.rows["call-records"], tenant.rows["calls"] = call.id, live.id
    mine = {"client_id": home.id}
    until(lambda: api.get("/api/notifier/v1/notifications", **mine)["items"], "the mail of the daily limit")
    until(lambda: api.get("/api/call-control/v1/rejections", **mine)["items"], "the denial is listed")
    number = f"+34955{tenant.platform.next_number():06d}"
    sheet = {"file": ("ddis.csv", f"number\n{number}\n".encode(), "text/csv")}
    imported = api.http.post(f"{PROVISIONING}/ddis/import", files=sheet, data={"brand_id": tenant.brand.id})
    assert imported.status_code == 202, imported.text
    entries = api.get(f"/api/billing/v1/rating-plans/{tenant.brand.plan_id}/entries")["items"]
    tenant.rows["@entries"] = entries[0]["id"]


def _people(platform: Platform, alpha: Tenant, beta: Tenant, neighbour: Tenant) -> dict[str, RestClient]:
    def key(name: str, **place: str) -> RestClient:
        made = platform.api.post("/api/provisioning/v1/api-keys", {"name": name, **place})
        return RestClient(platform.stack.url, made["key"])

    of_neighbour = {"brand_id": alpha.brand.id, "client_id": neighbour.home.id}
    return {
        "alpha operator": alpha.brand.admin("isle-alpha-op"),
        "alpha client": alpha.brand.admin("isle-alpha-cl", alpha.home.id),
        "beta operator": beta.brand.admin("isle-beta-op"),
        "beta client": beta.brand.admin("isle-beta-cl", beta.home.id),
        "beta key": key("beta key", brand_id=beta.brand.id),
        "neighbour client": alpha.brand.admin("isle-neighbour", neighbour.home.id),
        "neighbour key": key("neighbour key", **of_neighbour),
        "edge key": RestClient(platform.stack.url, platform.edge().key),
        "anonymous": RestClient(platform.stack.url),
        "platform": platform.api,
    }
