"""The resource kit: declare a resource once, get its REST API, audit entries and events.

See docs/decisions/0006-resource-kit.md for a declaration of twenty lines. Read in this order: declaration
(what can be said), writing (create, change, delete), listing (filters, paging), wire (JSON), routes (HTTP).
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
from landline.chassis.resources.routes import actor_of, allowed, check_texts, resource_router
from landline.chassis.resources.tables import owned_by_brand, owned_by_client, row_columns
from landline.chassis.resources.writing import changed_event, check_new, create, delete, fetch, owners, update

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
    "delete",
    "fetch",
    "owned_by_brand",
    "owned_by_client",
    "owners",
    "resource_router",
    "row_columns",
    "update",
]
