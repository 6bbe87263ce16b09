"""How the API server is reached: as a pod's service account, or by a kubeconfig."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class AccessError(Exception):
    """There is no way to the API server, or it is described wrongly."""


@dataclass(frozen=True)
class Access:
    """An API server and the credentials for it. Files are named rather than read, since they are renewed in place."""

    server: str
    ca_data: str | None = None
    certificate_data: str | None = None
    key_data: str | None = None
    token: str | None = None
    token_file: Path | None = None
    namespace: str = "default"

    def current_token(self) -> str | None:
        """The bearer token as it is now: the kubelet renews the file every hour or so."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="ascii").strip()
        return self.token

    def ssl_context(self) -> ssl.SSLContext | None:
        """A context that trusts the cluster's CA and shows the client certificate; None for plain HTTP."""
        if not self.server.startswith("https"):
            return None
        context = ssl.create_default_context(cadata=self.ca_data)
        if self.certificate_data is not None and self.key_data is not None:
            # The ssl module loads key pairs from files only.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
                pair.write(f"{self.certificate_data}\n{self.key_data}\n")
                pair.flush()
                context.load_cert_chain(pair.name)
        return context


def find_access(environment: Mapping[str, str] = os.environ) -> Access:
    """KUBECONFIG where it is set, else the pod's service account, else ~/.kube/config.

    Raises:
        AccessError: none of them is there, or the kubeconfig lacks something.
    """
    if environment.get("KUBECONFIG"):
        return from_kubeconfig(Path(environment["KUBECONFIG"].split(os.pathsep)[0]))
    if (_SERVICE_ACCOUNT / "token").exists():
        return from_service_account(environment)
    home = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if home.exists():
        return from_kubeconfig(home)
    raise AccessError(f"no cluster to talk to: set KUBECONFIG, run in a pod with a service account, or write {home}")


def from_service_account(environment: Mapping[str, str] = os.environ) -> Access:
    """The access that every pod with a mounted service account has."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise AccessError("KUBERNETES_SERVICE_HOST is not set, although there is a service account's token")
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_data=(_SERVICE_ACCOUNT / "ca.crt").read_text(encoding="ascii"),
        token_file=_SERVICE_ACCOUNT / "token",
        namespace=(_SERVICE_ACCOUNT / "namespace").read_text(encoding="ascii").strip(),
    )


def from_kubeconfig(path: Path) -> Access:
    """The access of a kubeconfig's current context. Credential plugins are not supported.

    Raises:
        AccessError: the file, its context or the credentials there cannot be used.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(config, "contexts", "context", config["current-context"])
        cluster = _named(config, "clusters", "cluster", context["cluster"])
        user = _named(config, "users", "user", context["user"])
        return Access(
            server=cluster["server"].rstrip("/"),
            ca_data=_text(cluster, "certificate-authority", path),
            certificate_data=_text(user, "client-certificate", path),
            key_data=_text(user, "client-key", path),
            token=user.get("token"),
            token_file=Path(user["tokenFile"]) if "tokenFile" in user else None,
            namespace=context.get("namespace", "default"),
        )
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise AccessError(f"kubeconfig {path} cannot be used: {error!r}") from error


def _named(config: Any, plural: str, singular: str, name: str) -> dict[str, Any]:
    for item in config[plural]:
        if item["name"] == name:
            found: dict[str, Any] = item[singular]
            return found
    raise KeyError(f"{singular} {name}")


def _text(section: dict[str, Any], key: str, kubeconfig: Path) -> str | None:
    """PEM text given inline as base64 or as a file beside the kubeconfig."""
    if f"{key}-data" in section:
        return base64.b64decode(section[f"{key}-data"]).decode("ascii")
    if key in section:
        return (kubeconfig.parent / str(section[key])).read_text(encoding="ascii")
    return None
