"""Dataclasses as JSON: what is read, in which words a file is refused, and what is written."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import records
from runtime.errors import ArtifactError


@dataclass(frozen=True)
class Row:
    ms: float
    share: float | None = None


@dataclass(frozen=True)
class Report:
    name: str
    state: Literal["measured", "missed"]
    rows: Mapping[int, Row]
    facts: Mapping[str, int | str] = field(default_factory=dict)
    ends: tuple[float, ...] = ()
    candidates: Mapping[str, Any] = field(default_factory=dict, metadata={"formerly": "rivals"})


WHOLE = {"name": "a", "state": "missed", "rows": {"200": {"ms": 1}}}


def read(path: Path, content: object) -> Report:
    path.write_text(json.dumps(content), "utf-8")
    return records.read(Report, path, ArtifactError, "measure again")


def test_a_file_is_read_with_its_defaults_and_older_keys(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", WHOLE | {"rivals": {"b": 1}, "ends": [1, 2.5]})
    assert found == Report("a", "missed", {200: Row(1.0)}, {}, (1.0, 2.5), {"b": 1})
    assert isinstance(found.rows[200].ms, float)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({"name": 1}, ".name: an integer, want text"),
        ({"state": "good"}, ".state: 'good', want one of 'measured', 'missed'"),
        ({"rows": {"x": {"ms": 1}}}, ".rows: key 'x', want an integer"),
        ({"rows": {"200": {"ms": None}}}, ".rows.200.ms: null, want a number"),
        ({"rows": {"200": {"ms": True}}}, ".rows.200.ms: true or false, want a number"),
        ({"rows": {"200": {}}}, ".rows.200: missing key 'ms'"),
        ({"facts": {"a": 1.5}}, ".facts.a: a number, want an integer or text"),
        ({"ends": {}}, ".ends: an object, want a list"),
        ({"ends": [1, "b"]}, ".ends[1]: text, want a number"),
        ({"mood": 1}, ": unknown key 'mood'"),
    ],
)
def test_a_fault_names_file_and_key_in_one_line(
    tmp_path: Path, harm: dict[str, Any], words: str
) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ArtifactError) as caught:
        read(path, WHOLE | harm)
    assert f"{caught.value}" == f"{path}{words}; measure again"


@pytest.mark.parametrize("text", ["", "{", '{"name": NaN}', "\xff"])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"a\.json: not readable as JSON \(.*; measure again$"):
        records.read(Report, path, ArtifactError, "measure again")


def test_a_number_that_is_none_is_written_as_null() -> None:
    assert records.in_json(Row(1.0, math.nan)) == {"ms": 1.0, "share": None}
    assert json.loads(records.text({"a": (Path("b"), math.inf)})) == {"a": ["b", None]}


@given(
    st.builds(
        Report,
        name=st.text(),
        state=st.sampled_from(["measured", "missed"]),
        rows=st.dictionaries(
            st.integers(),
            st.builds(
                Row,
                st.floats(allow_nan=False, allow_infinity=False),
                st.none() | st.floats(allow_nan=False, allow_infinity=False),
            ),
        ),
        facts=st.dictionaries(st.text(), st.integers() | st.text()),
        ends=st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
        candidates=st.dictionaries(st.text(), st.integers()),
    )
)
def test_what_is_written_is_read_as_the_same(report: Report) -> None:
    written = json.loads(records.text(report))
    assert records.parse(Report, written, "here", ArtifactError) == report
