"""What the processes of call-control are made of, opened and closed in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from landline.chassis.geoip import GeoIp
from landline.chassis.postgres import Database
from landline.chassis.redis import AnyRedis, AutoBatch, connect
from landline.chassis.redis_memory import RedisMemory
from landline.chassis.secrets import Keyring, NoSecretsKey
from landline.chassis.settings import Settings
from landline.contracts.call_control.events import CallFacts
from landline.kernel.clock import SystemClock

from call_control.adapters import scripts
from call_control.adapters.accounts import Accounts
from call_control.adapters.auth_failures import AuthFailures
from call_control.adapters.call_store import CallStore
from call_control.adapters.copied_rows import CopiedRows
from call_control.adapters.deck_files import DeckFiles
from call_control.adapters.device_secrets import DeviceSecrets
from call_control.adapters.edge_states import EdgeStates
from call_control.adapters.fact_parsing import Unseal
from call_control.adapters.facts_cache import FactsCache
from call_control.adapters.facts_copy import FactsCopy
from call_control.adapters.forward_codes import ForwardCodes
from call_control.adapters.model_rows import EitherRows, RedisRows
from call_control.adapters.postings import Postings
from call_control.adapters.read_model import ReadModel
from call_control.adapters.registrations import Registrations
from call_control.adapters.snapshots import Peers
from call_control.adapters.spool import Spool
from call_control.app.admit_call import AdmitCall
from call_control.app.admit_legs import AdmitLegs
from call_control.app.gather_arrival import GatherArrival
from call_control.app.gather_facts import GatherFacts
from call_control.app.late_prices import LatePrices
from call_control.app.move_on import MoveOn
from call_control.app.plan_legs import PlanLegs
from call_control.app.serve_code import ServeCode
from call_control.consumers.rebuild import Rebuild
from call_control.domain.live_call import Terms
from call_control.domain.ticket import sign_ticket
from call_control.edge.accounts import AccountsEndpoint
from call_control.edge.auth import EdgeAuth
from call_control.edge.calls import (
    Admission,
    AnsweredReport,
    EndedReport,
    FailedEndpoint,
    Noop,
    Reports,
    RingingReport,
)
from call_control.edge.endpoint import OUTAGE
from call_control.edge.files import EdgeFiles, FileEndpoint
from call_control.edge.lists import HeartbeatEndpoint, Lists, ResyncEndpoint
from call_control.edge.registering import (
    AuthFailureEndpoint,
    CredentialsEndpoint,
    Devices,
    RegistrationEndpoint,
)
from call_control.edge.routes import EdgeRoutes

POOL = 3
"""Connections to Postgres: rejections and the audit log only. Calls are decided without it."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's own connections and caches."""

    settings: Settings
    redis: AnyRedis
    batch: AutoBatch
    store: CallStore
    memory: RedisMemory
    facts: FactsCache
    gather: GatherFacts
    arrivals: GatherArrival
    registrations: Registrations
    accounts: Accounts
    unseal: Unseal
    geoip: GeoIp
    model: ReadModel
    peers: Peers
    forward_codes: ForwardCodes
    postings: Postings
    spool: Spool
    copied: CopiedRows
    copy: FactsCopy
    late: LatePrices
    db: Database

    @property
    def silent_ms(self) -> int:
        """After which silence of its edge a call is lost."""
        return self.settings.edge_silent_s * 1000

    @property
    def ticket_key(self) -> bytes:
        """Signs tickets."""
        return self.settings.ticket_key.get_secret_value().encode()

    def rebuild(self) -> Rebuild:
        """Building the read model from snapshots."""
        return Rebuild(self.batch, self.model, self.peers, self.postings, self.settings.clock)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Parts]:
    """Everything a process needs; closed when the block ends."""
    redis = await connect(settings)
    batch = AutoBatch(redis, replicas=settings.redis_replicas)
    memory = RedisMemory(redis)

    def internal_key() -> str:
        return settings.internal_key.get_secret_value()

    decks = DeckFiles(settings.data / "rates", settings.internal_url, internal_key)
    unseal, geoip = _unseal(settings), GeoIp(settings.geoip_db)
    wall = SystemClock().now_ms  # how old a file is, whatever a test makes of the clock
    copied = CopiedRows(settings.data, wall, settings.facts_copy_max_age_s)
    facts, registrations = FactsCache(batch, decks, unseal, copied), Registrations(batch, copied)
    arrivals = GatherArrival(facts, registrations)
    db = Database(settings, "call_control", POOL)
    try:
        yield Parts(
            settings=settings,
            redis=redis,
            batch=batch,
            store=CallStore(batch, memory),
            memory=memory,
            facts=facts,
            gather=GatherFacts(facts, arrivals, geoip.country_of, settings.lease_s),
            arrivals=arrivals,
            registrations=registrations,
            accounts=Accounts(batch),
            unseal=unseal,
            geoip=geoip,
            model=ReadModel(batch),
            forward_codes=ForwardCodes(settings.internal_url, internal_key),
            peers=Peers(settings.internal_url, internal_key),
            postings=Postings(batch),
            spool=Spool(settings.data / "spool"),
            copied=copied,
            copy=FactsCopy(batch, settings.data, settings.facts_copy_max_mb << 20),
            late=LatePrices(facts),
            db=db,
        )
    finally:
        copied.close()
        await db.close()
        await batch.aclose()
        await redis.aclose()


def _unseal(settings: Settings) -> Unseal:
    try:
        return Keyring.of(settings).unseal
    except NoSecretsKey as error:
        log.error("credentials of carriers can't be opened", error=str(error))

    def refuse(_sealed: str, _place: str) -> str:
        raise NoSecretsKey("LANDLINE_SECRETS_KEY is not set")

    return refuse


def edge_routes(parts: Parts, note_use: Callable[[str], None]) -> EdgeRoutes:
    """The endpoints of the edge API. `note_use`: of an edge's key."""
    settings, key = parts.settings, parts.ticket_key

    def issue(facts: CallFacts, terms: Terms) -> str:
        return sign_ticket(facts, terms, key)

    auth = EdgeAuth(parts.facts.directory, note_use)
    legs = AdmitLegs(PlanLegs(parts.arrivals), parts.store, issue, OUTAGE)
    serve = ServeCode(parts.forward_codes, parts.store)
    admit = AdmitCall(parts.gather, parts.store, settings.clock, issue, OUTAGE, legs, serve)
    move_on = MoveOn(parts.facts, parts.store, legs, parts.geoip.country_of, settings.lease_s, settings.clock)
    reports = Reports(auth, parts.store, settings.clock, parts.silent_ms, key, parts.spool, parts.late)
    lists = Lists(auth, parts.store, EdgeStates(parts.batch), settings.clock, parts.silent_ms, key)
    rows = EitherRows(RedisRows(parts.batch), parts.copied)
    secrets, failures = DeviceSecrets(rows, parts.unseal), AuthFailures(parts.batch)
    country_of, files = parts.geoip.country_of, EdgeFiles(parts.facts)
    devices = Devices(auth, parts.gather, secrets, parts.registrations, failures, country_of, settings.clock)
    return EdgeRoutes(
        calls=Admission(auth, admit),
        noop=Noop(auth),
        ringing=RingingReport(reports),
        answered=AnsweredReport(reports),
        ended=EndedReport(reports),
        failed=FailedEndpoint(auth, move_on),
        heartbeat=HeartbeatEndpoint(lists),
        resync=ResyncEndpoint(lists),
        credentials=CredentialsEndpoint(devices),
        registrations=RegistrationEndpoint(devices),
        auth_failures=AuthFailureEndpoint(devices),
        accounts=AccountsEndpoint(auth, parts.accounts, parts.facts.directory, parts.unseal, key),
        peers=FileEndpoint(auth, files.peers),
        fallback=FileEndpoint(auth, files.fallback),
    )


async def load_scripts(parts: Parts) -> None:
    """Give the server the scripts; one that is away gets them by NOSCRIPT later."""
    try:
        await scripts.load_all(parts.redis)
    except OUTAGE as error:
        log.warning("scripts not loaded", error=repr(error)[:200])
