"""Files under a second name."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_trainer.files import link_or_copy, write_atomically


def refused(_path: Path, _target: Path) -> None:
    raise OSError(95, "Operation not supported")


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_keeps_what_it_named_when_the_first_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr("os.link", refused)
    last, best = tmp_path / "last.pt", tmp_path / "best.pt"
    best.write_bytes(b"older")
    write_atomically(last, b"first")
    link_or_copy(last, best)
    link_or_copy(last, best)
    assert last.samefile(best) == links
    write_atomically(last, b"second")
    assert (last.read_bytes(), best.read_bytes()) == (b"second", b"first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "last.pt"]
