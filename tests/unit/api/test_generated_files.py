"""What is generated from the models stands in the repository as it would be generated now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from modelyard_api.crd import CRD_FILE, MAX_BYTES, render
from modelyard_api.explanations import EXPLANATIONS, WAITS, TriedAgain
from modelyard_api.generated import stale
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.reference import PAGES
from modelyard_api.report import Stage


def test_the_crd_is_up_to_date() -> None:
    assert stale({CRD_FILE: render}) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_reference_is_up_to_date(page: Path) -> None:
    assert stale({page: PAGES[page]}) == []


def test_a_change_by_hand_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "crd.yaml"
    copy.write_text(CRD_FILE.read_text().replace("Epochs done", "Epochs made"))
    assert stale({copy: render}) == [copy]
    assert stale({tmp_path / "absent.yaml": render}) == [tmp_path / "absent.yaml"]


def test_the_command_writes_elsewhere_and_checks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelyard_api.crd"]
    subprocess.run([*command, "--output", str(tmp_path / "new" / "crd.yaml")], check=True)
    assert (tmp_path / "new" / "crd.yaml").read_text() == CRD_FILE.read_text()
    assert subprocess.run([*command, "--check"], check=False).returncode == 0


def test_client_side_apply_takes_the_crd() -> None:
    # kubectl keeps the whole object as JSON in an annotation of 256 KiB, and the YAML is the longer of the two.
    assert len(CRD_FILE.read_bytes()) < MAX_BYTES
    assert "&id" not in CRD_FILE.read_text()
    assert yaml.safe_load(CRD_FILE.read_text())["metadata"]["name"] == "trainingruns.modelyard.dev"


def test_the_api_server_keeps_every_field_of_the_crds_columns() -> None:
    # It leaves out a priority of 0: Argo CD, which compares lists with what it applied, would find the CRD out of sync.
    [version] = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    assert [name for column in columns for name, value in column.items() if not value] == []


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


def test_every_stage_is_explained() -> None:
    assert set(Stage) <= set(WAITS)


@pytest.mark.parametrize("word", [*EXPLANATIONS, *WAITS])
def test_every_explanation_says_what_to_do(word: str) -> None:
    explained = EXPLANATIONS[Reason(word)] if word in set(Reason) else WAITS[word]
    for text in (explained.meaning, explained.what_to_do):
        assert text[0].isupper() or text[0] == "`"
        assert text.endswith(".")


@pytest.mark.parametrize("reason", [r for r, code in EXIT_CODES.items() if code is ExitCode.USER_ERROR])
def test_the_users_errors_are_never_tried_again(reason: Reason) -> None:
    assert EXPLANATIONS[reason].tried_again is TriedAgain.NEVER
