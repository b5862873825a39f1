"""Whole runs over stand-ins: what is built, what fails, what a killed run leaves behind."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from runtime import manifest
from tests.workflow.build import PLAIN, build, command, contents, pending, snakemake
from tests.workflow.stand_ins import lay_out

PLUS = "tests/golden/sovits/v2ProPlus.pth"
STAGES = {
    "inspect": {"describe_voice": 2},
    "graphs": {
        "export_roberta": 1,
        "export_shared": 2,
        "export_sovits": 2,
        "export_t2s": 2,
        "record_chain": 2,
        "simplify_graph": 15,
    },
}


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def edit_config(folder: Path, find: str, put: str) -> None:
    path = folder / "config/config.yaml"
    text = path.read_text("utf-8")
    assert find in text
    path.write_text(text.replace(find, put), "utf-8")


def test_every_bundle_is_whole(finished: Path) -> None:
    found = sorted((finished / "artifacts/bundles").rglob("manifest.json"))
    names = [path.parent.relative_to(finished / "artifacts/bundles").as_posix() for path in found]
    assert names == [f"{v}/1000/{p}" for v in ("demo", "演示 v2") for p in ("fp16", "fp32")]
    for path in found:
        manifest.verify(path.parent, manifest.load(path.parent))


def test_only_the_family_that_needs_it_has_a_speaker_graph(finished: Path) -> None:
    bundles = finished / "artifacts/bundles"
    assert (bundles / "demo/1000/fp32/speaker.onnx").exists()
    assert not (bundles / "演示 v2/1000/fp32/speaker.onnx").exists()


def test_raw_graphs_are_gone_after_the_run(finished: Path) -> None:
    assert [path for path in (finished / "artifacts/raw").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("stage", "want"), STAGES.items(), ids=STAGES)
def test_a_stage_builds_itself_and_no_more(fresh: Path, stage: str, want: dict[str, int]) -> None:
    assert pending(fresh, stage) == want | {stage: 1}


def test_the_build_runs_elsewhere_and_ends_with_the_command_that_speaks(
    fresh: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "else where"
    folder.mkdir()
    shutil.copytree(fresh / "config", folder / "config")
    (fresh / "tests").rename(folder / "tests")
    printed = build(fresh, "bundles", "--directory", str(folder), "--config", "precisions=[fp32]")
    assert not (fresh / "artifacts").exists()
    (line,) = re.findall(r"^hear it: .*$", printed, re.M)
    assert "runtime.tts -m artifacts/bundles/demo/1000/fp32 --lang en -f hello.wav" in line


def test_faults_of_the_configuration_stop_the_run_with_a_line_each(fresh: Path) -> None:
    edit_config(fresh, "gpt: tests/golden/t2s/tiny_a.ckpt", "gpt: nothing.ckpt")
    run = snakemake(fresh)
    lines = re.findall(r"^ *error: (.*)$", run.stdout + run.stderr, re.M)
    assert run.returncode == 1
    assert [line.split(" (looked")[0] for line in lines] == [
        f"config/config.yaml: voices[{i}].gpt: no such file 'nothing.ckpt'" for i in (0, 1)
    ]
    assert not (fresh / "artifacts").exists()


def test_a_file_that_is_no_checkpoint_stops_the_run_with_its_line(fresh: Path) -> None:
    (fresh / PLUS).write_bytes(b"not a checkpoint at all")
    run = snakemake(fresh)
    lines = re.findall(r"^ *error: (.*)$", run.stdout + run.stderr, re.M)
    assert len(lines) == 1
    assert lines[0].startswith(f"config/config.yaml: voices[0]: {PLUS}: ")


def test_a_build_without_its_records_is_not_judged(built: Path) -> None:
    for record in (built / ".snakemake/metadata").iterdir():
        record.unlink()
    run = snakemake(built)
    assert run.returncode == 1
    assert "error: artifacts: has no build records" in run.stdout + run.stderr


def test_a_missed_bar_fails_the_build_and_keeps_the_last_good_bundle(built: Path) -> None:
    before = contents(built)
    edit_config(built, "fp16: {audio_snr_db: 40.0}", "fp16: {audio_snr_db: 150.0}")
    run = snakemake(built)
    assert run.returncode == 1
    assert len((run.stdout + run.stderr).splitlines()) <= 60
    message = "error: chain: audio snr_db 100, under the bar of 150 (farthest at all); keep the"
    assert (run.stdout + run.stderr).count(message) == 2  # one for each voice
    _, _, end = run.stderr.partition("2 failed:")
    assert end.count(message) == 2  # what failed stands last, in its own words
    assert "[" not in end.replace("[phones", "")
    kept = {name: text for name, text in before.items() if not re.search("verdicts.*fp16", name)}
    after = contents(built)
    assert {n: t for n, t in after.items() if not n.startswith("report/")} == {
        n: t for n, t in kept.items() if not n.startswith("report/")
    }
    assert after["report/voices/demo.json"] != kept["report/voices/demo.json"]  # it is red now


def test_a_source_that_an_export_refuses_harms_no_other_voice(built: Path) -> None:
    before = contents(built)
    content = bytearray((built / PLUS).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6] = b"spoilt"
    (built / PLUS).write_bytes(content)
    run = snakemake(built)
    assert run.returncode == 1
    assert f"error: {PLUS}: spoilt; take another" in run.stdout + run.stderr
    after = contents(built)
    for part in ("bundles/", "graphs/"):
        assert {n: t for n, t in after.items() if n.startswith(part)} == {
            n: t for n, t in before.items() if n.startswith(part)
        }


@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGKILL, 5), (signal.SIGINT, 12)],
    ids=["killed early", "interrupted late"],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_end(
    fresh: Path, finished: Path, number: signal.Signals, jobs: int
) -> None:
    assert stopped_after(fresh, jobs, number) == jobs
    if "LockException" in (first := snakemake(fresh, "graphs")).stdout + first.stderr:
        build(fresh, "--unlock")
        build(fresh, "graphs")
    assert pending(fresh, "graphs") == {}
    wanted = contents(finished)
    graphs = {name for name in wanted if name.startswith(("graphs/fp32/", "reference/", "tables/"))}
    assert contents(fresh) == {name: wanted[name] for name in graphs}


def stopped_after(folder: Path, jobs: int, number: signal.Signals) -> int:
    """Stop a run, and all that it started, when so many jobs are done; how many were."""
    run = subprocess.Popen(
        command("graphs"),
        cwd=folder,
        env=PLAIN,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    done = 0
    with run:
        for line in run.stderr or ():
            done += line.startswith("[")
            if done == jobs:
                os.killpg(run.pid, number)
                break
        run.communicate()
    return done
