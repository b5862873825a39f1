"""The benchmark's work and its report; no claim about this machine's speed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime import bench, processor
from runtime.acoustic.kind import SizedWork
from runtime.backends import BACKENDS
from runtime.errors import ArtifactError, MachineError, SettingError
from runtime.graphs import VoiceGraphs
from runtime.manifest import load
from runtime.measure import benchmark, candidates, findings, fresh_process, reports
from runtime.measure import lengths as lengths_of
from runtime.measure.candidates import BenchmarkOptions
from runtime.measure.reports import StepMilliseconds
from runtime.measure.timing import Spread, Timed
from runtime.measure.workload import (
    FIRST_SOUND,
    FIRST_TOKENS,
    ROWS,
    STREAMING,
    TOTAL,
    Replay,
    Speaker,
    Works,
)
from tests.tiny_voice import source, tiny_bundle
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.proof.speed import __main__ as speed
from workflow_scripts.proof.speed import pytorch

SUMMANDS = ("prefill", "steps", "sampler", "prior", "vocoder")
OPTIONS = BenchmarkOptions(tokens=30, rounds=1, threads=1, buffer_bytes=1 << 20)


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    folder = tiny_bundle()
    names = ("t2s_embed", "t2s_decoder", "prior", "vocoder")
    files = {name: folder / f"{name}.onnx" for name in names}
    graphs = VoiceGraphs(files, folder / "t2s_tables.npz", load(folder).acoustic)
    return Speaker(graphs, Replay.of(30))


def test_the_replayed_tokens_are_spoken_whatever_is_sampled(speaker: Speaker) -> None:
    assert list(speaker.decode(30)) == Replay.of(30).tokens.tolist()
    assert speaker.total(30).size == 30 * 1280
    assert speaker.total(21).size == 21 * 1280
    assert speaker.first_sound().size == STREAMING.first_chunk_tokens * 1280


def test_pytorch_does_the_same_work(speaker: Speaker) -> None:
    reference = pytorch.load(source("t2s"), AcousticSources(source("sovits")), Replay.of(30))
    ours, theirs = speaker.works(), reference.works()
    assert set(ours.parts) == set(theirs.parts) == {*SUMMANDS[:3], FIRST_SOUND}
    assert set(ours.sound) == set(theirs.sound) == {*SUMMANDS[3:], TOTAL}
    assert set(ours.steps) == set(theirs.steps) == set(ROWS)
    assert reference.decode(30).tolist() == list(speaker.decode(30))
    assert reference.first_sound().shape == speaker.first_sound().shape
    assert reference.total(25).shape == speaker.total(25).shape
    for works in (ours, theirs):
        for work in [*works.steps.values(), *works.parts.values()]:
            work()
    for part in SUMMANDS[3:]:
        for count in (30, 23):
            assert theirs.sound[part](count).shape[-1] == ours.sound[part](count).shape[-1]


def test_no_length_comes_again_to_what_makes_sound(speaker: Speaker) -> None:
    works, seen = speaker.works(), []

    def watched(work: SizedWork) -> SizedWork:
        return lambda count: [seen.append(count), work(count)]

    sound = {part: watched(work) for part, work in works.sound.items()}
    one = candidates.Candidate(replace(works, sound=sound), reports.Facts())
    both = {"a": one, "b": one}
    benchmark.measure(both, replace(OPTIONS, rounds=3, chunks=0))
    new = seen[: 2 * 3 * (3 + 1)]  # candidates, works, runs; then one length again and again
    assert sorted(new[::1]) == sorted(2 * list(dict.fromkeys(new)))
    assert len(set(new)) == 3 * (3 + 1)
    assert set(seen[len(new) :]) == {OPTIONS.tokens}


def test_a_sentence_s_time_goes_with_its_length() -> None:
    lengths = lengths_of.unseen(30, 5)
    assert lengths == (30, 31, 29, 32, 28)
    taken = 0.1 * np.array(lengths[1:])  # the first run is not counted
    assert lengths_of.at_length(taken, lengths, 30) == pytest.approx([3.0] * 4)


def test_parts_that_do_not_add_up_to_the_total_are_reported() -> None:
    # 5 parts of 1 s each in every round, against a total of 5 s and of 8 s
    for total, add_up in ((5.0, True), (8.0, False)):
        timed = {part: Timed({"a": np.full(3, 1.0)}) for part in (*SUMMANDS, FIRST_SOUND)}
        timed[TOTAL] = Timed({"a": np.full(3, total)})
        found = benchmark.sums(timed, OPTIONS, ["a"])["a"]
        assert found.parts_add_up is add_up
        assert found.parts_of_total.median == 5 / total
        assert found.rtf == total / (30 / 25)


def test_candidates_that_make_sound_in_different_ways_are_not_compared() -> None:
    parts = {part: lambda: None for part in (*SUMMANDS[:3], FIRST_SOUND)}
    sound = {part: lambda _count: None for part in (*SUMMANDS[3:], TOTAL)}
    other = {name: work for name, work in sound.items() if name != "prior"}
    names = {"a": Works({}, parts, sound), "b": Works({}, parts, other)}
    timed = {name: candidates.Candidate(one, reports.Facts()) for name, one in names.items()}
    with pytest.raises(SettingError, match=r"a consists of prefill, .* b of prefill, .* apart"):
        benchmark.measure(timed, replace(OPTIONS, chunks=0))


def test_chunks_that_take_longer_and_longer_are_reported() -> None:
    steady = np.tile([9.0, *[1.0] * 49], (3, 1))  # the first may take what it will
    steady[0, 7] = 5.0  # once, while something else ran
    fixed = np.full_like(steady, 0.5)
    found = findings.judged_chunks(np.stack([steady, fixed], -1))
    assert (found.constant, found.farthest, found.median_ms) == (True, 0, 1000)
    growing = findings.judged_chunks(np.stack([steady * np.linspace(1, 1.3, 50), fixed], -1))
    assert growing.constant is False
    assert growing.farthest_beside_fixed > 0.1
    assert growing.growth > 1.2
    assert growing.farthest_fixed == 0


def test_a_machine_whose_speed_comes_and_goes_is_not_held_against_chunks() -> None:
    speed = np.where(np.arange(50) % 12 < 6, 1.0, 2.0)
    both = np.stack([np.tile(speed, (3, 1)), np.tile(0.5 * speed, (3, 1))], -1)
    found = findings.judged_chunks(both)
    assert found.farthest == found.farthest_fixed > 0.3
    assert found.constant is True


def test_what_is_not_the_graph_s_run_is_the_host_s_share_of_a_step() -> None:
    same = Spread(1.0, 1.0, 1.0)
    steps = {
        500: StepMilliseconds(9.5, 9.4, 9.6, same, run_ms=9.0),
        900: StepMilliseconds(9.5, 9.4, 9.6, same),
    }
    assert findings.host_shares(steps, 0.5) == {500: pytest.approx(0.1)}


def test_a_vocoder_on_another_back_end_is_timed_beside_onnx_runtime() -> None:
    missing = BACKENDS["openvino"].missing()
    if missing:
        pytest.skip(f"no other back end is timed: {missing}")
    folder = tiny_bundle()
    both = {
        provider: replace(candidates.candidate(folder, provider, OPTIONS, 1e9), fresh=())
        for provider in ("cpu,vocoder=openvino", "cpu")
    }
    elsewhere, here = benchmark.measure(both, replace(OPTIONS, chunks=3)).values()
    assert elsewhere.vocoder_vs_onnxruntime.median > 0
    assert here.vocoder_vs_onnxruntime is None


def test_the_report_holds_the_whole_list_in_json_and_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tiny_bundle(), tmp_path / "report.json"
    checkpoints = ["--gpt", str(source("t2s")), "--sovits", str(source("sovits"))]
    size = ["--tokens", "26", "--rounds", "1", "--threads", "1", "--chunks", "12", "--scaling"]
    speed.main(["-m", str(folder), "--provider", "cpu", *size, *checkpoints, "--json", str(output)])
    report = reports.read(output)
    assert report.busy in (True, False)
    assert (report.work.tokens, report.work.chunks) == (26, 12)
    assert list(report.candidates) == [f"{folder} on cpu", speed.PYTORCH]
    assert report.baseline == speed.PYTORCH
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", report.date)
    for found in report.candidates.values():
        assert set(found.step_ms) == set(ROWS)
        assert set(found.parts_ms) == set(SUMMANDS)
        assert found.fresh.ttfa_cold_s > found.fresh.load_s > 0
        assert found.disk_bytes > 0
        for value in (found.rtf, found.tokens_per_s, found.sampler_ms_per_token):
            assert value > 0
    ours, pytorch = report.candidates.values()
    assert pytorch.torch and ours.torch is None
    assert ours.step_ms[200].share_of_ceiling > 0
    assert ours.backends["vocoder"] == "cpu"
    assert set(ours.host_share_of_step) == set(ROWS)
    assert len(ours.chunks.ms) == 12
    assert ours.fresh.over_weights_bytes == ours.fresh.rss_loaded_bytes - ours.weights_bytes
    assert ours.weights_bytes < ours.disk_bytes
    assert set(ours.scaling.total_ms_by_tokens) == set(candidates.LENGTHS)
    assert set(ours.scaling.total_ms_by_threads) == {1}
    assert pytorch.scaling is None
    out = capsys.readouterr().out
    for word in ("step at 900 rows", "prefill", "vocoder", "total", "ttfa_warm", "rtf", "disk"):
        assert word in out
    for words in ("sampler and Python take", "12 chunks of 50 tokens", "more than its weights"):
        assert words in out
    assert "by length" in out
    assert set(ours.repeated_ms) == {"prior", "vocoder"}
    assert "where one length comes again" in out


def test_users_at_once_and_a_long_text_are_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, output = tmp_path / "book.txt", tmp_path / "report.json"
    text.write_text("One. Two. Three.", "utf-8")
    size = ["--tokens", "26", "--rounds", "1", "--threads", "1", "--chunks", "0"]
    more = ["--users", "2", "1", "--text", str(text), "--json", str(output)]
    bench.main(["-m", str(tiny_bundle()), "--provider", "cpu", *size, *more])
    (found,) = reports.read(output).candidates.values()
    assert set(found.users) == {1, 2}
    assert found.users[1].times_tokens.median == found.users[1].slowest_over_fastest == 1
    assert found.users[2].first_sound_p95_ms >= found.users[2].first_sound_p50_ms > 0
    assert set(found.audiobook) == {1, 2}
    assert found.audiobook[1].seconds == found.audiobook[2].seconds > 0
    out = capsys.readouterr().out
    assert "2 at once: " in out
    assert "voice for 2: rtf" in out


def test_a_text_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingError, match=r"--text .*none\.txt: .*; give"):
        bench.main(["-m", str(tiny_bundle()), "--text", str(tmp_path / "none.txt")])


def test_a_busy_machine_is_marked() -> None:
    assert [processor.is_busy(load) for load in (0.0, 0.5, 0.51, None)] == [
        False,
        False,
        True,
        None,
    ]
    report = reports.BenchReport(
        machine=reports.TimedMachine("Z80", 1, {}),
        python="3",
        load_average=3.0,
        busy=True,
        work=reports.Work(tokens=26, rounds=1, threads=1, phones=1, prompt_tokens=1),
        bandwidth_gb_per_s=1.0,
        baseline="a",
        candidates={},
    )
    assert "BUSY (load 3.0)" in bench.table(report)
    assert "BUSY" not in bench.table(replace(report, busy=False))


def test_a_report_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    work = {"tokens": 26, "rounds": 1, "threads": 1, "phones": 60, "prompt_tokens": 150}
    machine = {"processor": "Z80", "cores": 1, "versions": {}, "system": "CP/M"}
    old = {
        "machine": machine,
        "python": "3",
        "load_average": None,
        "busy": None,
        "work": work | {"buffer_bytes": 1, "spinning": False, "huge_pages": False, "chunks": 0},
        "bandwidth_gb_per_s": 1.0,
        "baseline": "a",
        "rivals": {},
    }
    path.write_text(json.dumps(old), "utf-8")
    assert reports.read(path).machine.system == "CP/M"
    path.write_text(json.dumps(old | {"busy": "no"}), "utf-8")
    with pytest.raises(ArtifactError, match=r"old\.json\.busy: text, want true or false; python"):
        reports.read(path)


def test_work_that_does_not_fit_is_refused() -> None:
    for wrong in ({"tokens": FIRST_TOKENS - 1}, {"rounds": 0}, {"threads": 0}):
        with pytest.raises(SettingError, match=f"--{next(iter(wrong))}: .* is below"):
            BenchmarkOptions(**wrong)
    with pytest.raises(SettingError, match=r"--tokens: 900, at most 932, .* 1142 rows"):
        candidates.candidate(tiny_bundle(), "cpu", BenchmarkOptions(tokens=900), 1e9)


def test_a_fresh_process_that_fails_is_reported_with_its_last_line(tmp_path: Path) -> None:
    command = fresh_process.command(tmp_path / "nowhere", "cpu", 1)
    with pytest.raises(MachineError, match=r"exit 3: error: .*nowhere: no bundle here"):
        fresh_process.measured(command)
