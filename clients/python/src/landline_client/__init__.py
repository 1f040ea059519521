"""A typed client of Landline: `Landline(url, api_key=...)`, see README.md."""

from landline_client.client import Landline
from landline_client.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ServerError,
    TooManyRequests,
    Unauthorized,
    VersionMismatch,
)
from landline_client.resource import Page, Resource

__all__ = [
    "Conflict",
    "FieldError",
    "Forbidden",
    "Invalid",
    "Landline",
    "NotFound",
    "Page",
    "Refused",
    "Resource",
    "ServerError",
    "TooManyRequests",
    "Unauthorized",
    "VersionMismatch",
]
