"""All resources of provisioning, in the order in which a cold reader should meet them."""

from __future__ import annotations

from landline.chassis.resources import Registry
from landline.chassis.resources.audit import AUDIT_RESOURCE

from provisioning.api.authorized_sources import AUTHORIZED_SOURCES
from provisioning.api.barrings import BARRINGS
from provisioning.api.brands import BRANDS
from provisioning.api.call_filters import CALL_FILTERS
from provisioning.api.call_forwards import CALL_FORWARDS
from provisioning.api.carriers import CARRIER_SERVERS, CARRIERS
from provisioning.api.clients import CLIENTS
from provisioning.api.ddi_provider_registrations import DDI_PROVIDER_REGISTRATIONS
from provisioning.api.ddi_providers import DDI_PROVIDER_ADDRESSES, DDI_PROVIDERS
from provisioning.api.ddis import DDIS
from provisioning.api.destination_pattern_groups import DESTINATION_PATTERN_GROUPS
from provisioning.api.destination_patterns import DESTINATION_PATTERNS
from provisioning.api.devices import DEVICES
from provisioning.api.edges import EDGES
from provisioning.api.jobs import JOBS
from provisioning.api.match_lists import MATCH_LIST_ENTRIES, MATCH_LISTS
from provisioning.api.numbers import EMERGENCY_NUMBERS, SPECIAL_NUMBERS
from provisioning.api.platform_sets import APPLICATION_SERVER_SETS, MEDIA_RELAY_SETS
from provisioning.api.risk_classes import RISK_CLASSES
from provisioning.api.routes import ROUTES
from provisioning.api.service_codes import SERVICE_CODES
from provisioning.api.transformations import TRANSFORMATION_RULES, TRANSFORMATION_SETS

REGISTRY = Registry(
    "provisioning",
    (
        MEDIA_RELAY_SETS,
        APPLICATION_SERVER_SETS,
        BRANDS,
        TRANSFORMATION_SETS,
        TRANSFORMATION_RULES,
        SPECIAL_NUMBERS,
        EMERGENCY_NUMBERS,
        RISK_CLASSES,
        SERVICE_CODES,
        DDI_PROVIDERS,
        DDI_PROVIDER_ADDRESSES,
        DDI_PROVIDER_REGISTRATIONS,
        CLIENTS,
        DEVICES,
        DDIS,
        AUTHORIZED_SOURCES,
        # Who goes with a client goes in this order: nothing may be needed any more when its turn comes.
        CALL_FORWARDS,
        CALL_FILTERS,
        MATCH_LISTS,
        MATCH_LIST_ENTRIES,
        BARRINGS,
        CARRIERS,
        CARRIER_SERVERS,
        DESTINATION_PATTERNS,
        DESTINATION_PATTERN_GROUPS,
        ROUTES,
        EDGES,
        JOBS,
        AUDIT_RESOURCE,
    ),
)
