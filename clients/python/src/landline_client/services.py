"""Generated from OpenAPI by `make client`: do not edit."""

from __future__ import annotations

from typing import Any

from landline_client.models import billing, call_control, notifier, provisioning
from landline_client.resource import Resource, Transport


class Billing:
    """The collections of billing."""

    def __init__(self, transport: Transport) -> None:
        self.rate_decks: Resource[billing.RateDeck, billing.RateDeckCreate, billing.RateDeckPatch] = Resource(
            transport, "/api/billing/v1/rate-decks"
        )
        self.rates: Resource[billing.Rate, Any, Any] = Resource(transport, "/api/billing/v1/rates")
        self.jobs: Resource[billing.Job, Any, Any] = Resource(transport, "/api/billing/v1/jobs")
        self.rating_plans: Resource[billing.RatingPlan, billing.RatingPlanCreate, billing.RatingPlanPatch] = (
            Resource(transport, "/api/billing/v1/rating-plans")
        )
        self.rating_profiles: Resource[
            billing.RatingProfile, billing.RatingProfileCreate, billing.RatingProfilePatch
        ] = Resource(transport, "/api/billing/v1/rating-profiles")
        self.postings: Resource[billing.Posting, Any, Any] = Resource(transport, "/api/billing/v1/postings")
        self.call_records: Resource[billing.CallRecord, Any, Any] = Resource(
            transport, "/api/billing/v1/call-records"
        )
        self.audit_log: Resource[billing.AuditEntry, Any, Any] = Resource(
            transport, "/api/billing/v1/audit-log"
        )


class CallControl:
    """The collections of call-control."""

    def __init__(self, transport: Transport) -> None:
        self.calls: Resource[call_control.LiveCallOut, Any, Any] = Resource(
            transport, "/api/call-control/v1/calls"
        )
        self.audit_log: Resource[call_control.AuditEntry, Any, Any] = Resource(
            transport, "/api/call-control/v1/audit-log"
        )
        self.rejections: Resource[call_control.Rejection, Any, Any] = Resource(
            transport, "/api/call-control/v1/rejections"
        )


class Notifier:
    """The collections of notifier."""

    def __init__(self, transport: Transport) -> None:
        self.notifications: Resource[notifier.Notification, Any, Any] = Resource(
            transport, "/api/notifier/v1/notifications"
        )
        self.notification_templates: Resource[
            notifier.NotificationTemplate,
            notifier.NotificationTemplateCreate,
            notifier.NotificationTemplatePatch,
        ] = Resource(transport, "/api/notifier/v1/notification-templates")
        self.audit_log: Resource[notifier.AuditEntry, Any, Any] = Resource(
            transport, "/api/notifier/v1/audit-log"
        )


class Provisioning:
    """The collections of provisioning."""

    def __init__(self, transport: Transport) -> None:
        self.countries: Resource[provisioning.Item, Any, Any] = Resource(
            transport, "/api/provisioning/v1/countries"
        )
        self.currencies: Resource[provisioning.Item, Any, Any] = Resource(
            transport, "/api/provisioning/v1/currencies"
        )
        self.timezones: Resource[provisioning.Item, Any, Any] = Resource(
            transport, "/api/provisioning/v1/timezones"
        )
        self.languages: Resource[provisioning.Item, Any, Any] = Resource(
            transport, "/api/provisioning/v1/languages"
        )
        self.client_setups: Resource[provisioning.ClientSetup, provisioning.ClientSetupFields, Any] = (
            Resource(transport, "/api/provisioning/v1/client-setups")
        )
        self.media_relay_sets: Resource[
            provisioning.MediaRelaySet, provisioning.MediaRelaySetCreate, provisioning.MediaRelaySetPatch
        ] = Resource(transport, "/api/provisioning/v1/media-relay-sets")
        self.application_server_sets: Resource[
            provisioning.ApplicationServerSet,
            provisioning.ApplicationServerSetCreate,
            provisioning.ApplicationServerSetPatch,
        ] = Resource(transport, "/api/provisioning/v1/application-server-sets")
        self.brands: Resource[provisioning.Brand, provisioning.BrandCreate, provisioning.BrandPatch] = (
            Resource(transport, "/api/provisioning/v1/brands")
        )
        self.transformation_sets: Resource[
            provisioning.TransformationSet,
            provisioning.TransformationSetCreate,
            provisioning.TransformationSetPatch,
        ] = Resource(transport, "/api/provisioning/v1/transformation-sets")
        self.transformation_rules: Resource[
            provisioning.TransformationRule,
            provisioning.TransformationRuleCreate,
            provisioning.TransformationRulePatch,
        ] = Resource(transport, "/api/provisioning/v1/transformation-rules")
        self.special_numbers: Resource[
            provisioning.SpecialNumber, provisioning.SpecialNumberCreate, provisioning.SpecialNumberPatch
        ] = Resource(transport, "/api/provisioning/v1/special-numbers")
        self.emergency_numbers: Resource[
            provisioning.EmergencyNumber,
            provisioning.EmergencyNumberCreate,
            provisioning.EmergencyNumberPatch,
        ] = Resource(transport, "/api/provisioning/v1/emergency-numbers")
        self.risk_classes: Resource[
            provisioning.RiskClass, provisioning.RiskClassCreate, provisioning.RiskClassPatch
        ] = Resource(transport, "/api/provisioning/v1/risk-classes")
        self.service_codes: Resource[
            provisioning.ServiceCode, provisioning.ServiceCodeCreate, provisioning.ServiceCodePatch
        ] = Resource(transport, "/api/provisioning/v1/service-codes")
        self.ddi_providers: Resource[
            provisioning.DdiProvider, provisioning.DdiProviderCreate, provisioning.DdiProviderPatch
        ] = Resource(transport, "/api/provisioning/v1/ddi-providers")
        self.ddi_provider_addresses: Resource[
            provisioning.DdiProviderAddress,
            provisioning.DdiProviderAddressCreate,
            provisioning.DdiProviderAddressPatch,
        ] = Resource(transport, "/api/provisioning/v1/ddi-provider-addresses")
        self.ddi_provider_registrations: Resource[
            provisioning.DdiProviderRegistration,
            provisioning.DdiProviderRegistrationCreate,
            provisioning.DdiProviderRegistrationPatch,
        ] = Resource(transport, "/api/provisioning/v1/ddi-provider-registrations")
        self.clients: Resource[provisioning.Client, provisioning.ClientCreate, provisioning.ClientPatch] = (
            Resource(transport, "/api/provisioning/v1/clients")
        )
        self.devices: Resource[provisioning.Device, provisioning.DeviceCreate, provisioning.DevicePatch] = (
            Resource(transport, "/api/provisioning/v1/devices")
        )
        self.ddis: Resource[provisioning.Ddi, provisioning.DdiCreate, provisioning.DdiPatch] = Resource(
            transport, "/api/provisioning/v1/ddis"
        )
        self.authorized_sources: Resource[
            provisioning.AuthorizedSource,
            provisioning.AuthorizedSourceCreate,
            provisioning.AuthorizedSourcePatch,
        ] = Resource(transport, "/api/provisioning/v1/authorized-sources")
        self.call_forwards: Resource[
            provisioning.CallForward, provisioning.CallForwardCreate, provisioning.CallForwardPatch
        ] = Resource(transport, "/api/provisioning/v1/call-forwards")
        self.call_filters: Resource[
            provisioning.CallFilter, provisioning.CallFilterCreate, provisioning.CallFilterPatch
        ] = Resource(transport, "/api/provisioning/v1/call-filters")
        self.match_lists: Resource[
            provisioning.MatchList, provisioning.MatchListCreate, provisioning.MatchListPatch
        ] = Resource(transport, "/api/provisioning/v1/match-lists")
        self.match_list_entries: Resource[
            provisioning.MatchListEntry, provisioning.MatchListEntryCreate, provisioning.MatchListEntryPatch
        ] = Resource(transport, "/api/provisioning/v1/match-list-entries")
        self.barrings: Resource[
            provisioning.Barring, provisioning.BarringCreate, provisioning.BarringPatch
        ] = Resource(transport, "/api/provisioning/v1/barrings")
        self.carriers: Resource[
            provisioning.Carrier, provisioning.CarrierCreate, provisioning.CarrierPatch
        ] = Resource(transport, "/api/provisioning/v1/carriers")
        self.carrier_servers: Resource[
            provisioning.CarrierServer, provisioning.CarrierServerCreate, provisioning.CarrierServerPatch
        ] = Resource(transport, "/api/provisioning/v1/carrier-servers")
        self.destination_patterns: Resource[
            provisioning.DestinationPattern,
            provisioning.DestinationPatternCreate,
            provisioning.DestinationPatternPatch,
        ] = Resource(transport, "/api/provisioning/v1/destination-patterns")
        self.destination_pattern_groups: Resource[
            provisioning.DestinationPatternGroup,
            provisioning.DestinationPatternGroupCreate,
            provisioning.DestinationPatternGroupPatch,
        ] = Resource(transport, "/api/provisioning/v1/destination-pattern-groups")
        self.routes: Resource[provisioning.Route, provisioning.RouteCreate, provisioning.RoutePatch] = (
            Resource(transport, "/api/provisioning/v1/routes")
        )
        self.edges: Resource[provisioning.Edge, provisioning.EdgeCreate, provisioning.EdgePatch] = Resource(
            transport, "/api/provisioning/v1/edges"
        )
        self.jobs: Resource[provisioning.Job, Any, Any] = Resource(transport, "/api/provisioning/v1/jobs")
        self.audit_log: Resource[provisioning.AuditEntry, Any, Any] = Resource(
            transport, "/api/provisioning/v1/audit-log"
        )
        self.admins: Resource[provisioning.Admin, provisioning.AdminCreate, provisioning.AdminPatch] = (
            Resource(transport, "/api/provisioning/v1/admins")
        )
        self.api_keys: Resource[provisioning.ApiKey, provisioning.ApiKeyCreate, provisioning.ApiKeyPatch] = (
            Resource(transport, "/api/provisioning/v1/api-keys")
        )
