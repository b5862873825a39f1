"""A file that is another by the time a job reads it stops the build, which then starts anew."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from runtime import manifest
from tests.workflow.build import pending, snakemake
from workflow_scripts import digests

GPT = "tests/golden/t2s/tiny_a.ckpt"
AUDIO = "tests/golden/sovits/ref_mono_32k.wav"
ROOT = Path(__file__).parents[2]
SWAP = """
import shutil
shutil.copyfile({new!r}, {old!r})
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GPT, ROOT / "tests/golden/t2s/tiny_c.ckpt", f"error: {GPT}: is another file now"),
        (AUDIO, ROOT / "voices/flite/awb.wav", "error: reference-audio: is another file now"),
    ],
)
def test_a_source_that_is_swapped_while_the_build_runs_is_never_mislabelled(
    built: Path, old: str, new: Path, message: str
) -> None:
    """The stand-in of the measurement swaps it, after the plan and before files are packed."""
    first = (built / old).read_bytes()
    stage = built / "workflow_scripts/proof/chain.py"
    stage.write_text(stage.read_text("utf-8") + SWAP.format(new=f"{new}", old=old), "utf-8")
    for name in ("inspect", "bundles"):
        shutil.rmtree(built / "artifacts" / name)
    rules = (built / "rules/inspect.smk").read_text("utf-8")
    own = "sovits=ancient(lambda w: voice_of(w).sovits),"
    late = 'chain="artifacts/parity/chain/{voice}/fp32.json",'
    rules = rules.replace(own, f"{own}\n        {late}", 1)
    (built / "rules/inspect.smk").write_text(rules, "utf-8")
    run = snakemake(built)
    logs = "".join(path.read_text("utf-8") for path in built.rglob("artifacts/logs/**/*.log"))
    assert run.returncode != 0
    assert message in logs
    assert list(built.glob("artifacts/bundles/*/*/*/manifest.json")) == []
    (built / old).write_bytes(first)
    assert pending(built)  # nothing of it counts as done


def test_a_process_of_a_job_takes_the_digest_of_the_plan(tmp_path: Path) -> None:
    path, store = tmp_path / "a", tmp_path / "store.json"
    path.write_bytes(b"abc")
    planner = digests.Sources(store, settled=True)
    planned = planner.of(path)
    path.write_bytes(b"abd")
    assert planned == hashlib.sha256(b"abc").hexdigest()
    assert planner.of(path) == planned
    assert digests.Sources(store, follow=True).of(path) == planned
    assert digests.Sources(store).of(path) == hashlib.sha256(b"abd").hexdigest()


def test_the_manifest_names_the_digests_of_what_was_read(finished: Path) -> None:
    found = manifest.load(finished / "artifacts/bundles/demo/1000/fp32")
    facts = json.loads((finished / "artifacts/inspect/demo.json").read_text("utf-8"))
    for word in ("gpt", "sovits"):
        assert found.sources[word] == facts[word]["sha256"]
    assert found.sources["reference-audio"] == found.files[found.reference.audio].sha256
