"""Configuration from the environment (prefix `LANDLINE_`) or an `.env` file (see `.env.example`).

Any value may be in a file instead, which `LANDLINE_<NAME>_FILE` names: so secrets come in containers.
"""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from landline.chassis.secret_files import SecretFiles, secret
from landline.kernel.clock import Clock, SharedOffsetClock, SystemClock


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


class Settings(BaseSettings):
    """What any service process needs to know. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="LANDLINE_", env_file=".env", extra="ignore", frozen=False)

    pg_url: str = Field("postgresql://127.0.0.1:5432/landline", description="host, port, database; no user")
    pg_owner_password: SecretStr = Field(SecretStr(""), description="of role landline_owner: migrations only")
    pg_pool_size: int = Field(10, ge=2, le=200)
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="redis:// | rediss:// | unix://")
    redis_password: SecretStr = Field(SecretStr(""), description="when redis_url names none")
    redis_mode: Literal["single", "sentinel", "cluster"] = "single"
    redis_sentinels: str = Field("", description="host:port,host:port; with redis_mode=sentinel")
    redis_sentinel_name: str = "landline"
    redis_replicas: int = Field(0, ge=0, le=5, description="that must confirm each change of calls or money")
    public_url: str = Field("http://127.0.0.1:8080", description="the one origin people and edges use")
    internal_url: str = Field("", description="where services find each other; empty: public_url")
    data: Path = Field(Path("data"), description="folder for rate files, media, spools")
    internal_key: SecretStr = Field(SecretStr(""), description="service to service, 32+ random characters")
    ticket_key: SecretStr = Field(SecretStr(""), description="signs call tickets")
    secrets_key: SecretStr = Field(SecretStr(""), description="base64 of 32 bytes; encrypts HA1 at rest")
    admin_password: SecretStr = Field(SecretStr(""), description="of the first platform admin")
    login_own_networks: str = Field(
        "",
        description="addresses, networks: many people log in from each (a portal's), not throttled together",
    )
    smtp_url: str = Field("", description="smtp://user:password@host:port; empty: no mail is sent")
    mail_from: str = "Landline <no-reply@landline.invalid>"
    geoip_db: str = Field("", description="path of an .mmdb with countries; empty: built-in table")
    embedded: bool = False
    test_clock: bool = Field(False, description="embedded runs only: POST /dev/clock moves time")
    log_level: str = "INFO"
    port: int = 8080
    host: str = "127.0.0.1"
    consume_port: int = Field(0, ge=0, le=65_535, description="health and metrics of `consume`; 0: none")

    lease_s: int = Field(60, ge=1, le=3600)
    heartbeat_s: int = Field(30, ge=1)
    edge_silent_s: int = Field(90, ge=1)
    keep_calls_s: int = Field(
        900,
        ge=900,
        le=30 * 86_400,
        description="calls stay on their streams so long after all have read them",
    )
    facts_copy_s: int = Field(300, ge=0, description="a copy of the facts is taken so often; 0: never")
    facts_copy_max_age_s: int = Field(86_400, ge=1, description="an older copy is not decided by")
    facts_copy_max_mb: int = Field(2048, ge=1, description="a larger copy is not taken")
    claim_s: float = Field(10.0, gt=0, description="orphaned stream entries are claimed after this long")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the program says, then files, then the environment, then `.env`."""
        return init_settings, SecretFiles(settings_cls), env_settings, dotenv_settings

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        """The password into Redis's URL; services find each other at the public origin unless told better."""
        word, parts = self.redis_password.get_secret_value(), urlsplit(self.redis_url)
        if word and not parts.password:
            place = parts.netloc.rpartition("@")[2]
            netloc = f"{parts.username or ''}:{quote(word, safe='')}@{place}"
            self.redis_url = urlunsplit(parts._replace(netloc=netloc))
        self.internal_url = self.internal_url or self.public_url
        return self

    @field_validator("login_own_networks")
    @classmethod
    def _readable(cls, text: str) -> str:
        """ValueError names what is no address or network: at the start, not at somebody's login."""
        _networks(text)
        return text

    @cached_property
    def own_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`login_own_networks`, read."""
        return _networks(self.login_own_networks)

    @cached_property
    def clock(self) -> Clock:
        """The system clock, or the shared test clock of an embedded run."""
        if self.embedded and self.test_clock:
            return SharedOffsetClock(self.data / "run" / "clock")
        return SystemClock()

    def pg_dsn(self, role: str) -> str:
        """The DSN of a role: a service's package name, or `landline_owner`. asyncpg form (postgresql://)."""
        parts = urlsplit(self.pg_url)
        secret = self._pg_password(role)
        user = f"{role}:{quote(secret, safe='')}" if secret else role
        return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))

    def _pg_password(self, role: str) -> str:
        if role == "landline_owner":
            return self.pg_owner_password.get_secret_value()
        return secret(f"pg_password_{role}") or ""
