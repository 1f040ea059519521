"""The resource kit: declare a resource once, get its REST API, audit entries and events.

See docs/decisions/0006-resource-kit.md for a declaration of twenty lines. Read in this order: declaration
(what can be said), wire (JSON and schemas), routes (HTTP) with requests, list_parameters and csv_export,
writing (create, change, delete) with checking before it, needs on deletion and trail (audit, event) after
it, listing (order, paging) with filters, scope (whose rows).

Invariants
* A row, its audit entry and its event are written in one transaction, or none of them is.
* Every query carries its tenant's condition, besides row-level security.
* All that is wrong with an input is answered at once, each error with its field; nothing is ignored silently.

Owns: the conventions of every REST resource (contracts section 2), the audit log. Does not own: what a
resource is or which rules it has (the services'), idempotency keys (`chassis.idempotency`).
"""

from landline.chassis.resources.declaration import (
    Actor,
    Change,
    Hook,
    Reference,
    Registry,
    Resource,
    Rights,
    Row,
)
from landline.chassis.resources.field_types import ApiModel, Micros, MoneyText
from landline.chassis.resources.requests import (
    actor_of,
    allowed,
    check_texts,
    database,
    post_once,
    reason_of,
)
from landline.chassis.resources.routes import resource_router
from landline.chassis.resources.tables import owned_by_brand, owned_by_client, row_columns
from landline.chassis.resources.trail import changed_event, owners
from landline.chassis.resources.writing import check_new, create, delete, fetch, update

__all__ = [
    "Actor",
    "ApiModel",
    "Change",
    "Hook",
    "Micros",
    "MoneyText",
    "Reference",
    "Registry",
    "Resource",
    "Rights",
    "Row",
    "actor_of",
    "allowed",
    "changed_event",
    "check_new",
    "check_texts",
    "create",
    "database",
    "delete",
    "fetch",
    "owned_by_brand",
    "owned_by_client",
    "owners",
    "post_once",
    "reason_of",
    "resource_router",
    "row_columns",
    "update",
]
