"""After LANDLINE_SECRETS_KEY became `new,old`: seal with the new key what the old one sealed.

Everything provisioning keeps sealed, row by row; who reads it is told by a rebuild (`call-control rebuild`),
for which the version rises. Afterwards the old key may go. Run it again at will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from landline.chassis.postgres import Database, Scope
from landline.chassis.secrets import CannotUnseal, Keyring
from sqlalchemy import text

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Sealed:
    """A table with sealed columns; `place` is what each is bound to, before the row's id."""

    table: str
    id: str
    columns: Sequence[str]
    place: str
    versioned: bool = True


SEALED = (
    Sealed("devices", "id", ("ha1", "ha1_sha256"), "device"),
    Sealed("carrier_servers", "id", ("auth_ha1",), "carrier_server"),
    Sealed("ddi_provider_registrations", "id", ("auth_ha1",), "ddi_provider_registration"),
    Sealed("admins", "id", ("otp_secret",), "otp", versioned=False),
    Sealed("signing_keys", "kid", ("private_sealed",), "signing-key", versioned=False),
)


@dataclass(slots=True)
class Outcome:
    """How many values were sealed anew, and which could not be opened (`table id`)."""

    sealed: int = 0
    lost: list[str] = field(default_factory=list)


async def seal_anew(db: Database, keyring: Keyring) -> Outcome:
    """All tables, in small transactions."""
    outcome = Outcome()
    for kind in SEALED:
        after = ""
        while (last := await _some(db, keyring, kind, after, outcome)) is not None:
            after = last
    return outcome


async def _some(db: Database, keyring: Keyring, kind: Sealed, after: str, outcome: Outcome) -> str | None:
    """The next rows after an id; the last id, None at the end."""
    columns = ", ".join(kind.columns)
    query = text(
        f"select {kind.id}::text as id, {columns} from {kind.table}"
        f" where {kind.id}::text > :after order by {kind.id}::text limit {AT_ONCE} for update"
    )
    async with db.transaction(Scope.system()) as tx:
        rows = (await tx.execute(query, {"after": after})).mappings().all()
        for row in rows:
            values = {c: row[c] for c in kind.columns if row[c] and keyring.is_stale(row[c])}
            if not values:
                continue
            place = f"{kind.place}:{row['id']}"
            try:
                anew = {c: keyring.seal(keyring.unseal(v, place), place) for c, v in values.items()}
            except CannotUnseal:
                outcome.lost.append(f"{kind.table} {row['id']}")
                continue
            sets = ", ".join(f"{c} = :{c}" for c in anew)
            sets += ", version = version + 1" if kind.versioned else ""
            change = text(f"update {kind.table} set {sets} where {kind.id}::text = :id")
            await tx.execute(change, {**anew, "id": row["id"]})
            outcome.sealed += len(anew)
    return rows[-1]["id"] if rows else None
