"""From the bytes that a trainer sent to a report."""

from __future__ import annotations

from modelyard_api.report import ProgressReport
from pydantic import ValidationError

_LONGEST_PLACE = 256


class NotAReportError(Exception):
    """The bytes are no report. The message says where and why."""


def read_report(body: bytes) -> ProgressReport:
    """The report in `body`.

    Raises:
        NotAReportError: it is not JSON, or breaks the schema of a report.
    """
    try:
        return ProgressReport.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # A name that nobody knows may hold anything, and be as long as a report.
        place = ascii(".".join(str(part) for part in first["loc"]))[1:-1][:_LONGEST_PLACE] or "the body"
        raise NotAReportError(f"this is not a report: {place}: {first['msg']}") from error
