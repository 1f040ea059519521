"""Rights of restricted admins and API keys: letters of `crud` per resource kind, read-only when new."""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import Change
from landline.contracts.rights import KNOWN
from pydantic import Field

ResourceName = Annotated[str, Field(max_length=60, pattern=r"^[a-z][a-z-]*$")]
Letters = Annotated[str, Field(pattern=r"^c?r?u?d?$", description="some of crud, in that order")]
RightsByResource = Annotated[
    dict[ResourceName, Letters],
    Field(max_length=100, examples=[{"clients": "cru", "devices": "crud", "call-records": ""}]),
]


async def known_resources(change: Change) -> None:
    """A right on a misspelt name would be a right on nothing, unnoticed."""
    if change.action == "d" or not change.differs("rights"):
        return
    for name in sorted(set(change.new["rights"]) - KNOWN):
        change.refuse(f"rights.{name}", "unknown_resource", "no such kind of resource")


async def no_more_than_the_caller(change: Change) -> None:
    """Who is restricted gives nobody more rights than it has itself."""
    own = change.principal.rights
    if own is None or change.action == "d":
        return
    if not change.new["restricted"]:
        change.refuse("restricted", "more_than_own", "you can only make restricted ones")
    for resource, letters in change.new["rights"].items():
        if not set(letters) <= set(own.get(resource, "r")):
            change.refuse(f"rights.{resource}", "more_than_own", "more than your own right")
    # What the new rights do not name can be read: so it must not be hidden from whoever gives them.
    for resource, letters in own.items():
        if "r" not in letters and resource not in change.new["rights"]:
            change.refuse(f"rights.{resource}", "more_than_own", "not yours to read: say so explicitly")
