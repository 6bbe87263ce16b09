"""The intake's TLS: a certificate authority made in memory for each process, or a mounted Secret."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_log = logging.getLogger(__name__)
MOUNTED = ("tls.crt", "tls.key", "ca.crt")
"""The files of a mounted Secret."""
_VALID = timedelta(days=3650)
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass
class Certificates:
    """What the server shows, and what its clients check it against. A mounted Secret's change when that does."""

    context: ssl.SSLContext
    ca: str
    """PEM of the authority, which is no secret."""


def make_certificates(names: Sequence[str], owner: str) -> Certificates:
    """An authority and a server certificate that it signed. Neither key ever leaves the process's memory for long."""
    certificate, key, ca = issue(names, owner)
    return Certificates(_context(certificate, key), ca.decode("ascii"))


def issue(names: Sequence[str], owner: str) -> tuple[bytes, bytes, bytes]:
    """A server certificate, its key, and a new authority that signed it: PEM, as tls.crt, tls.key and ca.crt.

    Args:
        names: host names and addresses that the server is reached by.
        owner: name of the replica, written into the authority's subject.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"modelyard intake {owner}"[:64])])
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "modelyard-intake")])
    certificate = (
        _builder(subject, ca_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return _pem(certificate), _key_pem(key), _pem(ca)


def load_certificates(folder: Path) -> Certificates:
    """tls.crt, tls.key and ca.crt of a mounted Secret.

    Raises:
        OSError, ssl.SSLError: a file is missing or is not what its name says.
    """
    context = _server_context()
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return Certificates(context, (folder / "ca.crt").read_text(encoding="ascii"))


async def follow(certificates: Certificates, folder: Path, pause: float = 30) -> None:
    """Show what a mounted Secret holds, for ever: whoever renews it restarts nobody. New connections see it."""
    seen = _files(folder)
    while True:
        await asyncio.sleep(pause)
        try:
            found = _files(folder)
            if found == seen:
                continue
            fresh = load_certificates(folder)  # tried apart: half a pair must not be shown
            certificates.context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        except (OSError, ValueError) as error:
            _log.warning("the mounted certificate cannot be used; the one before goes on", extra={"error": str(error)})
        else:
            certificates.ca, seen = fresh.ca, found
            _log.info("the mounted certificate was renewed")


def _files(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in MOUNTED]


def client_context(ca: str) -> ssl.SSLContext:
    """What a client needs to trust exactly this authority."""
    return ssl.create_default_context(cadata=ca)


def created_at(pem: str) -> datetime:
    """When an authority was made; the beginning of time for what is no certificate."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_before_utc
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = _server_context()
    # The ssl module loads key pairs from files only; this one is gone at once, and readable by us alone until then.
    with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
        pair.write(certificate + key)
        pair.flush()
        context.load_cert_chain(pair.name)
    return context


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
