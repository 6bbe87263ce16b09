"""Who we are to a store, and where it is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.location import S3Location
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

_KEY_ID, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_ENDPOINT = "AWS_ENDPOINT_URL"
_AMAZON = "https://s3.amazonaws.com"
_CREDENTIAL = re.compile(r"[!-~]+")
_HIDDEN, _SHORTEST_HIDDEN = "***", 4


@dataclass(frozen=True, repr=False)
class Access:
    """An endpoint (None is Amazon's) and credentials (None is the ordinary AWS chain)."""

    endpoint: str | None
    region: str
    key_id: str | None = None
    secret: str | None = None
    token: str | None = None

    @property
    def address(self) -> str:
        """The endpoint as messages name it."""
        return self.endpoint or _AMAZON

    def without_credentials(self, text: str) -> str:
        """`text`, such as what a store said, with stars where it repeats a credential."""
        for each in (self.secret, self.token, self.key_id):
            if each is not None and len(each) >= _SHORTEST_HIDDEN:
                text = text.replace(each, _HIDDEN)
        return text


def find_access(location: S3Location, folder: Path, *, in_cluster: bool, what: str) -> Access:
    """Read the Secret's files in `folder`; without a secretRef, or on a laptop, leave credentials to the AWS chain.

    Raises:
        RunError: CredentialsMissing; the Secret is not there, or lacks a key. CredentialsRefused; one is none.
            SpecInvalid; the endpoint holds more than a host.
    """
    found = {name: _read(folder / name) for name in (_KEY_ID, _SECRET, _TOKEN, _ENDPOINT)}
    endpoint = location.endpoint or found[_ENDPOINT] or os.environ.get(_ENDPOINT)
    if endpoint is not None and "@" in endpoint:
        # It would be copied into messages, run.json and the report, so it is not even named here.
        raise RunError(
            Reason.SPEC_INVALID,
            f"the S3 endpoint of spec.{what} holds a user or password; the host alone would be right, with "
            f"{_KEY_ID} and {_SECRET} in the Secret",
        )
    for name in (_KEY_ID, _SECRET, _TOKEN):
        value = found[name]
        if value is not None and not _CREDENTIAL.fullmatch(value):
            # It would become a header, and the error about that header would repeat it.
            raise RunError(
                Reason.CREDENTIALS_REFUSED,
                f"spec.{what}.s3.secretRef: {name} in the Secret holds a space, a line break or a character that is "
                "not ASCII; one unbroken line would be right",
            )
    if found[_KEY_ID] and found[_SECRET]:
        return Access(endpoint, location.region, found[_KEY_ID], found[_SECRET], found[_TOKEN])
    if location.secret_ref is not None and in_cluster:
        missing = [name for name in (_KEY_ID, _SECRET) if not found[name]]
        there = folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir())
        state = f"has no {' and no '.join(missing)}" if there else "is not in the run's namespace"
        raise RunError(
            Reason.CREDENTIALS_MISSING,
            f"spec.{what}.s3.secretRef: Secret {location.secret_ref.name} {state}; "
            f"it must hold {_KEY_ID} and {_SECRET}",
        )
    return Access(endpoint, location.region)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except FileNotFoundError:
        return None
