"""Which services this run has: the installed ones, or those named by LANDLINE_SERVICES."""

from __future__ import annotations

import os
from importlib import import_module

from landline.chassis.service import Service, installed_services


def load_services(only: str = "") -> list[Service]:
    """The entry points of group `landline.services`; or LANDLINE_SERVICES=`module:attribute,...` (tests).

    `only`: the service of that name; the others are not even imported where they are entry points.
    """
    named = os.environ.get("LANDLINE_SERVICES")
    if not named:
        return installed_services(only)
    services = []
    for target in named.split(","):
        module, _, attribute = target.strip().partition(":")
        service = getattr(import_module(module), attribute)
        if not isinstance(service, Service):
            raise TypeError(f"{target} is no Service")
        services.append(service)
    return [each for each in services if only in ("", each.name)]
