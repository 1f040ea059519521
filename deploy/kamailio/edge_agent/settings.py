"""What the edge is told by its environment; Kamailio gets it as settings.cfg."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit


class BadSettings(ValueError):
    """A variable is missing or cannot be what it says; the message names it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: our certificate with its chain, its key, and who must have signed carriers'."""

    certificate: Path
    key: Path
    authorities: Path | None


@dataclass(frozen=True, slots=True)
class Settings:
    """One edge. Addresses are `host:port`; `listen` as Kamailio writes it: `udp:192.0.2.1:5060`, tcp, tls."""

    name: str
    key: str
    call_control: str
    state: Path
    listen: tuple[str, ...]
    advertise: str | None
    tls: Tls | None
    rtpengine: str
    media: str
    kamailio_port: int
    agent: str
    control_allow: tuple[IPv4Network | IPv6Network, ...]
    heartbeat_s: float
    refresh_s: float
    children: int
    call_workers: int
    flood_per_2s: int
    first_reply_ms: int
    keepalive_s: int
    keepalive_misses: int
    media_timeout_s: int
    register_retry_s: int

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Raises BadSettings."""
        name = _required(env, "LANDLINE_EDGE_NAME")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
            raise BadSettings("LANDLINE_EDGE_NAME: the edge's name as provisioning has it (a-z, 0-9, -)")
        url = _required(env, "LANDLINE_CALL_CONTROL_URL").rstrip("/")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise BadSettings("LANDLINE_CALL_CONTROL_URL: such as http://127.0.0.1:8080")
        listen = tuple(each.strip() for each in _required(env, "LANDLINE_EDGE_LISTEN").split(","))
        return cls(
            name=name,
            key=_key(env),
            call_control=f"{url}/api/call-control/v1",
            state=Path(env.get("LANDLINE_EDGE_STATE", "/var/lib/landline-edge")),
            listen=listen,
            advertise=env.get("LANDLINE_EDGE_ADVERTISE") or None,
            tls=_tls(env) if any(each.startswith("tls:") for each in listen) else None,
            rtpengine=env.get("LANDLINE_EDGE_RTPENGINE", "127.0.0.1:22222"),
            media=_media(env),
            kamailio_port=_number(env, "LANDLINE_EDGE_KAMAILIO_PORT", 8090, 65_535),
            agent=env.get("LANDLINE_EDGE_AGENT", "127.0.0.1:8091"),
            control_allow=_networks(env.get("LANDLINE_EDGE_CONTROL_ALLOW", "127.0.0.0/8")),
            heartbeat_s=_number(env, "LANDLINE_HEARTBEAT_S", 30, 300),
            refresh_s=_number(env, "LANDLINE_EDGE_REFRESH_S", 60, 3600),
            children=_number(env, "LANDLINE_EDGE_WORKERS", 4, 64),
            call_workers=_number(env, "LANDLINE_EDGE_CALL_WORKERS", 16, 256),
            flood_per_2s=_number(env, "LANDLINE_EDGE_FLOOD_PER_2S", 200, 1_000_000),
            first_reply_ms=_number(env, "LANDLINE_EDGE_FIRST_REPLY_MS", 2000, 30_000),
            keepalive_s=_number(env, "LANDLINE_EDGE_KEEPALIVE_S", 60, 3600, least=30),
            keepalive_misses=_number(env, "LANDLINE_EDGE_KEEPALIVE_MISSES", 2, 10),
            media_timeout_s=_number(env, "LANDLINE_EDGE_MEDIA_TIMEOUT_S", 60, 3600),
            register_retry_s=_number(env, "LANDLINE_EDGE_REGISTER_RETRY_S", 30, 3600),
        )

    @property
    def contact(self) -> str:
        """Where others reach this edge: host:port, as its Contact says."""
        if self.advertise:
            return self.advertise
        return self.listen[0].partition(":")[2] if self.listen[0][:4] in ("udp:", "tcp:") else self.listen[0]

    def as_kamailio(self) -> str:
        """settings.cfg: definitions that kamailio.cfg names, and where to listen."""
        scheme, _, rest = self.call_control.partition("://")
        defined = {
            "LL_EDGE_NAME": self.name,
            "LL_CALL_CONTROL": f"{scheme}://{self.name}:{self.key}@{rest}",
            "LL_STATE_DIR": str(self.state),
            "LL_RTPENGINE": self.rtpengine,
            "LL_MEDIA": self.media,
            "LL_CONTROL_PORT": self.kamailio_port,
            "LL_CHILDREN": self.children,
            "LL_CALL_WORKERS": self.call_workers,
            "LL_MOST_WAITING": self.call_workers + max(1, most_queued() - 4),
            "LL_FLOOD_PER_2S": self.flood_per_2s,
            "LL_FIRST_REPLY_MS": self.first_reply_ms,
            "LL_KEEPALIVE_S": self.keepalive_s,
            "LL_KEEPALIVE_MISSES": self.keepalive_misses,
            "LL_CONTACT": self.contact,
            "LL_REGISTER_RETRY_S": self.register_retry_s,
        }
        lines = ["# Written by the edge agent at each start; it holds the edge's key."]
        if self.tls is not None:
            lines += ["#!define WITH_TLS", "enable_tls=yes"]
        lines += [f'#!substdef "|{name}|{value}|g"' for name, value in defined.items()]
        advertise = f" advertise {self.advertise}" if self.advertise else ""
        lines += [f"listen={each}{advertise}" for each in self.listen]
        lines.append(f"listen=tcp:127.0.0.1:{self.kamailio_port}")
        return "\n".join(lines) + "\n"

    def as_tls(self) -> str:
        """tls.cfg, which Kamailio reads again on command: how we are seen, and whom we believe where we go.

        Not the system's 140 authorities: each of Kamailio's processes would load them all.
        """
        if self.tls is None:
            return ""
        own = f"certificate = {self.tls.certificate}\nprivate_key = {self.tls.key}\n"
        theirs = ""
        if self.tls.authorities is not None:
            theirs = (
                f"ca_list = {self.tls.authorities}\nverify_certificate = yes\nrequire_certificate = yes\n"
            )
        profiles = ("server:default", own), ("client:default", theirs)
        return "\n".join(f"[{name}]\nmethod = TLSv1.2+\n{more}" for name, more in profiles)


def most_queued() -> int:
    """How many tasks the queue of an async group takes (unix(7)): the next sender would wait."""
    try:
        return int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    except (OSError, ValueError):
        return 10


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise BadSettings(f"{name} is not set")
    return value


def _tls(env: Mapping[str, str]) -> Tls:
    authorities = env.get("LANDLINE_EDGE_TLS_AUTHORITIES_FILE")
    return Tls(
        certificate=_pem(env, "LANDLINE_EDGE_TLS_CERTIFICATE_FILE"),
        key=_pem(env, "LANDLINE_EDGE_TLS_KEY_FILE"),
        authorities=_pem(env, "LANDLINE_EDGE_TLS_AUTHORITIES_FILE") if authorities else None,
    )


def _pem(env: Mapping[str, str], name: str) -> Path:
    path = _required(env, name)
    if not os.access(path, os.R_OK):
        raise BadSettings(f"{name}: {path} can't be read")
    return Path(path)


def _media(env: Mapping[str, str]) -> str:
    """Where boxes and announcements are whose application server DNS does not know; `none`: nowhere."""
    given = env.get("LANDLINE_EDGE_MEDIA", "").strip() or "none"
    if not re.fullmatch(r"[A-Za-z0-9.\[\]:-]{1,190}(;transport=(udp|tcp))?", given):
        raise BadSettings("LANDLINE_EDGE_MEDIA: host:port of the media endpoint")
    return given


def _key(env: Mapping[str, str]) -> str:
    """The edge's key, from a file where secrets are files."""
    path = env.get("LANDLINE_EDGE_KEY_FILE")
    try:
        key = Path(path).read_text().strip() if path else _required(env, "LANDLINE_EDGE_KEY")
    except OSError as error:
        raise BadSettings(f"LANDLINE_EDGE_KEY_FILE: {error.strerror}") from None
    if not re.fullmatch(r"[A-Za-z0-9_-]{20,200}", key):
        raise BadSettings("LANDLINE_EDGE_KEY: not a key (POST edges shows it once)")
    return key


def _number(env: Mapping[str, str], name: str, default: int, most: int, least: int = 1) -> int:
    text = env.get(name, str(default))
    if not text.isdigit() or not least <= int(text) <= most:
        raise BadSettings(f"{name}: a whole number from {least} to {most}")
    return int(text)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise BadSettings(f"LANDLINE_EDGE_CONTROL_ALLOW: {error}") from None
