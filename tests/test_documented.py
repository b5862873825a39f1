"""Every row of every table stands in a document, with what the table says of it."""

import re
from functools import cache
from pathlib import Path

import pytest

from runtime.acoustic.kind import KINDS
from runtime.backends import BACKENDS
from runtime.settings import SETTINGS
from runtime.sound.formats import FORMATS
from runtime.text.languages import LANGUAGES
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.proof.metrics import METRICS
from workflow_scripts.units import BASES
from workflow_scripts.variants.precisions import PRECISIONS

DOCS = Path(__file__).parents[1] / "docs"
TABLES = {  # the document of each table
    "precisions": (PRECISIONS, "precisions.md"),
    "metrics": (METRICS, "precisions.md"),
    "families": (FAMILIES, "models.md"),
    "kinds": (KINDS, "models.md"),
    "back ends": (BACKENDS, "backends.md"),
    "languages": (LANGUAGES, "text.md"),
    "settings": (SETTINGS, "settings.md"),
    "formats": (FORMATS, "formats.md"),
}
ROWS = [(table, row) for table, (rows, _) in TABLES.items() for row in rows]


@cache
def spans(document: str) -> frozenset[str]:
    """What stands in a document as code."""
    text = (DOCS / document).read_text("utf-8")
    return frozenset(re.findall(r"`([^`\n]+)`", text))


def cells(document: str, name: str) -> list[str]:
    """The cells behind a name in a table of a document."""
    text = (DOCS / document).read_text("utf-8")
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \|(.*)\|$", text, re.M)
    return [cell.strip() for cell in row.split("|")]


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_a_row_is_documented(table: str, row: str) -> None:
    _, document = TABLES[table]
    assert row in spans(document), f"write of `{row}` in docs/{document}"


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_documented_as_it_is_reported(name: str) -> None:
    row = METRICS[name]
    assert cells("precisions.md", name) == [row.unit or "-", row.better, row.note]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_documented_as_it_is_built(name: str) -> None:
    row = FAMILIES[name]
    assert cells("models.md", name) == [
        f"`{row.kind}`",
        f"{row.sampling_rate_hz} Hz",
        f"{row.frames_per_token:g}",
        ", ".join(f"`{base}`" for base in row.bases),
    ]


def test_every_base_that_a_family_needs_is_one_that_can_be_given() -> None:
    given = {base.graph for base in BASES.values()}
    assert {base for row in FAMILIES.values() for base in row.bases} <= given
