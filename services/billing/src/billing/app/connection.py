"""The connection a use case is given: raw asyncpg, inside its caller's transaction and scope."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
