"""Billing's REST resources."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from landline.chassis.resources import Registry, resource_router
from landline.chassis.resources.audit import AUDIT_RESOURCE

from billing.api import balance, imports, internal, plan_prices, price_quotes, rate_decks, rating_plans
from billing.api.call_records import RECORD, records_router
from billing.api.details import DetailsOf
from billing.api.plan_entries import entries_router

REGISTRY = Registry(
    "billing",
    (
        rate_decks.RATE_DECK,
        rate_decks.RATE,
        rating_plans.PLAN,
        rating_plans.ENTRY,
        rating_plans.PROFILE,
        imports.JOB,
        balance.LEDGER,
        RECORD,
        AUDIT_RESOURCE,
    ),
)


def routers() -> list[APIRouter]:
    """Every route of billing, below its base path."""
    profiles = APIRouter(dependencies=[Depends(DetailsOf(needed=True))])
    profiles.include_router(resource_router(REGISTRY, rating_plans.PROFILE))
    return [
        *rate_decks.routers(REGISTRY),
        imports.router,
        resource_router(REGISTRY, imports.JOB),
        resource_router(REGISTRY, rating_plans.PLAN),
        entries_router(REGISTRY),
        plan_prices.router,
        profiles,
        price_quotes.router,
        balance.router,
        balance.ledger_router(REGISTRY),
        records_router(REGISTRY),
        resource_router(REGISTRY, AUDIT_RESOURCE),
        internal.router,
    ]
