"""Metadata tables: CSV or JSON with a row for each picture."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_api.classification import MetadataTable, RegionOfInterest, TableLabel
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.json_text import parse_json
from modelyard_trainer.dataset.labelled import Labelled, LabelledPictures
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import is_below

_FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Row:
    """One row, and where it stands."""

    where: str
    values: Mapping[str, object]

    def text(self, name: str) -> str:
        """A field as text; empty where there is nothing."""
        value = self.values.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value).strip()

    def wrong(self, name: str, right: str) -> RunError:
        """The error that a field is not what it should be."""
        found = repr(self.text(name)) if self.text(name) else "empty"
        return RunError(Reason.LABEL_INVALID, f"{self.where}: field `{name}` is {found}; {right} would be right")


def read_table(folder: Path, table: MetadataTable) -> LabelledPictures:
    """The pictures that a metadata table lists.

    Raises:
        RunError: DatasetInvalid (the files), DatasetEmpty (no row is left) or LabelInvalid (a row).
    """
    rows = _rows(folder, table)
    _refuse_unknown_fields(rows, table)
    used = [row for row in rows if all(row.text(name) == value for name, value in table.filter.items())]
    if not used:
        wanted = ", ".join(f"{name} = {value}" for name, value in table.filter.items())
        of_filter = f" with {wanted}" if wanted else ""
        raise RunError(Reason.DATASET_EMPTY, f"{table.file} has no row{of_filter}, of {len(rows)} rows in all")
    boxes = _Regions(folder, table.roi) if table.roi else None
    pictures, seen = [], dict[str, str]()
    for row in used:
        name = _picture(row, table.picture)
        if name in seen:
            raise RunError(Reason.LABEL_INVALID, f"{row.where}: its picture {name} is that of {seen[name]}, too")
        seen[name] = row.where
        text, angle = _label(row, table.label)
        group = row.text(table.split_by)
        if not group:
            raise row.wrong(table.split_by, "a value to split by")
        box = boxes.of(row, row.text(table.id_field)) if boxes else None
        pictures.append(Labelled(name, text, group, row.where, box, angle))
    return LabelledPictures(pictures, _classes(table.label))


def _classes(label: TableLabel) -> tuple[str, ...] | None:
    if label.bin_degrees is not None:
        return tuple(str(angle) for angle in range(0, 360, label.bin_degrees))
    if label.numbers is not None:
        return tuple(str(number) for number in range(label.numbers.first, label.numbers.last + 1))
    return None


def _label(row: Row, label: TableLabel) -> tuple[str, float | None]:
    """The label of a row, and the angle that it is a bin of."""
    if label.bin_degrees is not None:
        angle = _number(row, label.field, "an angle in degrees") % 360
        return str(int(angle // label.bin_degrees) * label.bin_degrees), angle
    if label.numbers is not None:
        right = f"a whole number from {label.numbers.first} to {label.numbers.last}"
        number = _number(row, label.field, right)
        if not number.is_integer() or not label.numbers.first <= number <= label.numbers.last:
            raise row.wrong(label.field, right)
        return str(int(number)), None
    for each in label.exceptions:
        if row.text(each.field) == each.equals:
            return each.label, None
    text = row.text(label.field) or label.missing
    if not text:
        raise row.wrong(label.field, "a label (or spec.classification.table.label.missing)")
    return text, None


def _number(row: Row, name: str, right: str) -> float:
    try:
        number = float(row.text(name))
    except ValueError:
        raise row.wrong(name, right) from None
    if not math.isfinite(number):
        raise row.wrong(name, right)
    return number


def _picture(row: Row, pattern: str) -> str:
    def value(match: re.Match[str]) -> str:
        text = row.text(match[1])
        if not text:
            raise row.wrong(match[1], f"a part of the picture's path {pattern}")
        return text

    name = _FIELD.sub(value, pattern)
    if not is_below(name):
        raise RunError(Reason.LABEL_INVALID, f"{row.where}: its picture {name} leads out of the data set's folder")
    return name


def _rows(folder: Path, table: MetadataTable) -> list[Row]:
    text = _text(folder, table.file, "spec.classification.table.file")
    if table.file.lower().endswith(".json"):
        return _json_rows(parse_json(text, table.file, Reason.DATASET_INVALID), table)
    return _csv_rows(text, table.file)


def _csv_rows(text: str, file: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text))
    rows = []
    try:
        for values in reader:
            if None in values or None in values.values():
                raise RunError(
                    Reason.LABEL_INVALID,
                    f"{file}, line {reader.line_num}: it has not as many values as the first line has names "
                    f"({len(reader.fieldnames or ())})",
                )
            rows.append(Row(f"{file}, line {reader.line_num}", values))
    except csv.Error as error:
        raise RunError(Reason.LABEL_INVALID, f"{file}, line {reader.line_num}: not CSV ({error})") from error
    return rows


def _json_rows(content: object, table: MetadataTable) -> list[Row]:
    if isinstance(content, dict):
        found = [
            (f"{table.file}, {key}", {table.id_field: key, **_row(each, table, key)}) for key, each in content.items()
        ]
    elif isinstance(content, list):
        found = [(f"{table.file}, row {n}", _row(each, table, f"row {n}")) for n, each in enumerate(content, start=1)]
    else:
        raise RunError(Reason.DATASET_INVALID, f"{table.file}: it must be a list of rows, or a map from ids to rows")
    return [Row(where, values) for where, values in found]


def _row(content: object, table: MetadataTable, where: str) -> dict[str, object]:
    if not isinstance(content, dict):
        raise RunError(Reason.LABEL_INVALID, f"{table.file}, {where}: a row must be a map of fields to values")
    return content


def _refuse_unknown_fields(rows: Sequence[Row], table: MetadataTable) -> None:
    """A field that no row has is a slip of the pen in the spec."""
    there = {name for row in rows for name in row.values}
    wanted = [
        ("label.field", table.label.field),
        *(("label.exceptions", each.field) for each in table.label.exceptions),
        *(("filter", name) for name in table.filter),
        ("splitBy", table.split_by),
        *(("picture", name) for name in _FIELD.findall(table.picture)),
        *([("idField", table.id_field)] if table.roi else []),
    ]
    for place, name in wanted:
        if rows and name not in there:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.classification.table.{place}: no row of {table.file} has a field `{name}`; there are "
                f"{', '.join(sorted(there)[:12])}",
            )


class _Regions:
    """The boxes of one region, padded."""

    def __init__(self, folder: Path, roi: RegionOfInterest) -> None:
        self._roi = roi
        content = parse_json(
            _text(folder, roi.file, "spec.classification.table.roi.file"), roi.file, Reason.DATASET_INVALID
        )
        if not isinstance(content, dict):
            raise RunError(Reason.DATASET_INVALID, f"{roi.file}: it must be a map from ids to maps of regions to boxes")
        self._content: Mapping[str, Any] = content

    def of(self, row: Row, key: str) -> tuple[float, float, float, float]:
        """The padded box of a row's picture, in pixels; it may reach over the picture's edge."""
        regions, file, region = self._content.get(key), self._roi.file, self._roi.region
        box = regions.get(region) if isinstance(regions, dict) else None
        if box is None:
            raise RunError(Reason.LABEL_INVALID, f"{file}: it has no region {region} of {key} ({row.where})")
        if (
            not isinstance(box, list)
            or len(box) != 4
            or not all(isinstance(v, int | float) and math.isfinite(v) for v in box)
        ):
            raise RunError(
                Reason.LABEL_INVALID,
                f"{file}: {region} of {key} must be [left, top, right, bottom] in pixels, not {box}",
            )
        left, top, right, bottom = map(float, box)
        if right <= left or bottom <= top:
            raise RunError(Reason.LABEL_INVALID, f"{file}: {region} of {key} is {box}, which has no area")
        x, y = (right - left) * self._roi.padding, (bottom - top) * self._roi.padding
        return left - x, top - y, right + x, bottom + y


def _text(folder: Path, file: str, field: str) -> str:
    if not is_below(file):
        raise RunError(Reason.SPEC_INVALID, f"{field}: {file} leads out of the data set's folder")
    try:
        return (folder / file).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RunError(Reason.DATASET_INVALID, f"{field}: the data set has no {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(Reason.DATASET_INVALID, f"{file}: not UTF-8 text") from error
