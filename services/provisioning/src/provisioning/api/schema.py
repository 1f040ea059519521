"""The one MetaData of provisioning's tables, so that resources can name each other's tables."""

from __future__ import annotations

from sqlalchemy import MetaData

METADATA = MetaData()
