"""A certificate for an edge's address, made for the run: its phones trust nothing else."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "edge.pem"


def certified(folder: Path, ip: str) -> dict[str, str]:
    """Make both files in the folder; the edge's settings that name them."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ip)])
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address(ip))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / NAME, folder / "edge.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(pem, kind, serialization.NoEncryption()))
    return {"LANDLINE_EDGE_TLS_CERTIFICATE_FILE": str(certificate), "LANDLINE_EDGE_TLS_KEY_FILE": str(secret)}


def trusting(folder: Path) -> ssl.SSLContext:
    """A phone's view: that edge and no other."""
    return ssl.create_default_context(cafile=str(folder / NAME))
