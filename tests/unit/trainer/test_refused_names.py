"""Names and addresses that are refused before they get anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_api.location import S3Location
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.store.access import find_access
from modelyard_trainer.store.push import push_dataset
from modelyard_trainer.store.s3 import S3Store


@pytest.mark.parametrize("source", ["spec", "secret", "environment"])
def test_an_endpoint_with_a_password_is_refused_without_repeating_it(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = "http://user:hunter2@s3.example.com"
    if source == "secret":
        (tmp_path / "AWS_ENDPOINT_URL").write_text(endpoint)
    if source == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    location = S3Location(uri="s3://models/", endpoint=endpoint if source == "spec" else None)
    with pytest.raises(RunError, match=r"spec\.artifacts holds a user or password") as refused:
        find_access(location, tmp_path, in_cluster=True, what="artifacts")
    assert refused.value.reason is Reason.SPEC_INVALID
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", [b"hunter2\nhunter2", b"hunter2 hunter2", b"hunter2\xff", "hunter2\u00e4".encode()])
def test_a_credential_that_is_none_is_refused_without_repeating_it(name: str, value: bytes, tmp_path: Path) -> None:
    for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (tmp_path / each).write_text("fine")
    (tmp_path / name).write_bytes(value)
    location = S3Location(uri="s3://models/", endpoint="http://127.0.0.1:1")
    with pytest.raises(RunError, match=f"{name} in the Secret holds a space, a line break or") as refused:
        find_access(location, tmp_path, in_cluster=True, what="artifacts")
    assert refused.value.reason is Reason.CREDENTIALS_REFUSED
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("name", ["two\nlines.jpg", "two\u2028lines.jpg"])
def test_a_file_name_of_two_lines_is_not_pushed(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    nowhere: S3Store = None  # type: ignore[assignment]
    with pytest.raises(RunError, match="holds a line break"):
        push_dataset(nowhere, tmp_path, lambda _: None, threads=1)
