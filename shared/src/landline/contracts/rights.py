"""What rights are given on: the resource kinds of all four services (contracts section 3).

An admin or API key that is restricted has some of create, read, update and delete on each of these; what is
not listed in its rights it may read. Services ask by these names (`Principal.require`), provisioning refuses
any other name, and a test compares the list with what the services serve.
"""

from __future__ import annotations

_PROVISIONING = """
brands clients devices ddis authorized-sources ddi-providers ddi-provider-addresses ddi-provider-registrations
carriers carrier-servers routes destination-patterns destination-pattern-groups transformation-sets
transformation-rules call-filters match-lists match-list-entries call-forwards special-numbers
emergency-numbers barrings risk-classes admins api-keys edges media-relay-sets application-server-sets
audit-log banned-addresses service-codes client-setups registrations
"""
_CALL_CONTROL = "calls rejections simulate"
_BILLING = """
rate-decks rates rating-plans rating-plan-entries rating-profiles balance postings low-balance-alerts
call-records price-quotes invoices invoice-sequences invoice-schedules invoice-templates fixed-costs
report-schedules reports jobs
"""
_NOTIFIER = """
faxes fax-messages voicemails voicemail-messages recordings notification-templates notifications webhooks
webhook-deliveries
"""

RESOURCES: dict[str, tuple[str, ...]] = {
    "provisioning": tuple(_PROVISIONING.split()),
    "call-control": tuple(_CALL_CONTROL.split()),
    "billing": tuple(_BILLING.split()),
    "notifier": tuple(_NOTIFIER.split()),
}

KNOWN: frozenset[str] = frozenset(name for names in RESOURCES.values() for name in names)
"""All of them; a name belongs to one service, except `audit-log`, which every service has of its own."""
