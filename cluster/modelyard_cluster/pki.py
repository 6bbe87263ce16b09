"""Keys and certificates by `openssl`, since the standard library makes none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .shell import run

_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = "3650"


@dataclass(frozen=True)
class KeyPair:
    """Paths of a private key and of its certificate (or public key), both PEM."""

    key: Path
    certificate: Path


def make_authority(folder: Path, name: str) -> KeyPair:
    """A certificate authority of our own: `folder`/ca.key and ca.crt."""
    pair = KeyPair(folder / "ca.key", folder / "ca.crt")
    run(
        "openssl", "req", "-x509", *_EC_KEY, "-days", _DAYS, "-subj", f"/CN={name}",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", pair.key, "-out", pair.certificate,
    )  # fmt: skip
    return pair


def make_server_certificate(folder: Path, authority: KeyPair, alternative_names: str) -> KeyPair:
    """A serving certificate for names such as `DNS:localhost,IP:127.0.0.1`: `folder`/server.key and server.crt."""
    pair = KeyPair(folder / "server.key", folder / "server.crt")
    run(
        "openssl", "req", "-x509", *_EC_KEY, "-days", _DAYS, "-subj", "/CN=kube-apiserver",
        "-CA", authority.certificate, "-CAkey", authority.key,
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
        "-addext", f"subjectAltName={alternative_names}",
        "-keyout", pair.key, "-out", pair.certificate,
    )  # fmt: skip
    return pair


def make_signing_key(folder: Path) -> KeyPair:
    """The RSA key that signs service account tokens, of the kind kubeadm makes: `folder`/sa.key and sa.pub."""
    pair = KeyPair(folder / "sa.key", folder / "sa.pub")
    run("openssl", "genrsa", "-out", pair.key, "2048")
    run("openssl", "rsa", "-in", pair.key, "-pubout", "-out", pair.certificate)
    return pair
