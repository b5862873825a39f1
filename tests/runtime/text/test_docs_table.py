"""The table of readings in docs/text.md holds."""

import re
from pathlib import Path

import pytest

from runtime.text import require
from tests.runtime.text.test_readings import Record, expected, sounds, spoken

DOCS = Path(__file__).parents[3] / "docs" / "text.md"
HEAD = "| what | mode | written | spoken |"
CATEGORIES = 34


def rows() -> list[list[str]]:
    table = DOCS.read_text("utf-8").partition(HEAD)[2].partition("\n\n")[0]
    lines = [line.strip("| ") for line in table.splitlines()[2:]]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]
        for line in lines
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[1]}-{row[2]}")
def test_what_is_written_is_heard_as_the_docs_say(row: list[str]) -> None:
    _, lang, written, said = row
    require(lang)
    record: Record = {"lang": lang, "parts" if " / " in said else "said": said}
    assert sounds(spoken(written, lang)) == expected(record)


def test_the_table_covers_every_category() -> None:
    assert len({row[0] for row in rows()}) >= CATEGORIES
