"""What the next run makes again after one change: exactly what depends on it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import manifest
from tests.g2pw_stand_in import lay_out
from tests.workflow.build import build, pending, snakemake

GPT = "tests/golden/t2s/tiny_a.ckpt"
PLUS = "tests/golden/sovits/v2ProPlus.pth"
AUDIO = "tests/golden/sovits/ref_mono_32k.wav"
GRAPHS = "artifacts/graphs/fp32/voices/演示 v2"

# Snakemake compares checksums of small files; without that our own digests must do
LARGE = ("--max-checksum-file-size", "1")


def edited(name: str, find: str, put: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text("utf-8")
        assert find in text
        path.write_text(text.replace(find, put, 1), "utf-8")

    return change


def appended(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def another_byte(name: str) -> Callable[[Path], object]:
    """New content of the same size and an older date, somewhere in the middle of the weights."""

    def change(folder: Path) -> None:
        path = folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        os.utime(path, (1, 1))

    return change


def touched(*names: str) -> Callable[[Path], object]:
    return lambda folder: [path.touch() for name in names for path in files(folder / name)]


def files(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]


def removed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def with_g2pw(folder: Path) -> None:
    lay_out(folder / "g2pw")
    edited("config/config.yaml", "\nshared:", "\nshared:\n  g2pw: g2pw")(folder)


NOTHING: dict[str, int] = {}
CHANGES: dict[str, tuple[Callable[[Path], object], dict[str, int]]] = {
    "nothing": (lambda folder: None, NOTHING),
    "touched sources": (
        touched(GPT, PLUS, AUDIO, "tests/golden/sovits/hubert_768"),
        NOTHING,
    ),
    "comments": (appended("workflow_scripts/graphs/export.py", "# why\n"), NOTHING),
    "logs": (lambda folder: [path.unlink() for path in folder.rglob("*.log")], NOTHING),
    "a comment in a rule file": (appended("rules/export.smk", "\n\n# why\n"), NOTHING),
    "the gpt of both voices": (
        another_byte(GPT),
        {
            "describe_voice": 2,
            "export_t2s": 2,
            "record_chain": 2,
            "simplify_graph": 4,
            "reduce_precision": 4,
            "measure_parity": 8,
            "measure_chain": 4,
            "measure_stream": 4,
            "check_parity": 4,
            "pack_bundle": 4,
        },
    ),
    "the sovits of one voice": (
        another_byte(PLUS),
        {
            "describe_voice": 1,
            "export_sovits": 1,
            "record_chain": 1,
            "simplify_graph": 4,
            "reduce_precision": 3,
            "measure_parity": 7,
            "measure_chain": 2,
            "measure_stream": 2,
            "check_parity": 2,
            "pack_bundle": 2,
        },
    ),
    "a file added to a base": (
        appended("tests/golden/sovits/bert_1024/new.txt", "x"),
        {
            "export_roberta": 1,
            "simplify_graph": 1,
            "reduce_precision": 1,
            "measure_parity": 2,
            "measure_chain": 4,
            "check_parity": 4,
            "pack_bundle": 4,
        },
    ),
    "the reference audio": (
        another_byte(AUDIO),
        {
            "record_chain": 2,
            "measure_chain": 4,
            "measure_stream": 4,
            "check_parity": 4,
            "pack_bundle": 4,
        },
    ),
    "the text of one voice": (
        edited("config/config.yaml", "The quick brown", "A quick brown"),
        {"pack_bundle": 2},
    ),
    "a lexicon": (appended("config/lexicon.en.txt", "GPT JH IY1\n"), {"pack_bundle": 2}),
    "a lexicon less": (
        edited("config/config.yaml", "{en: config/lexicon.en.txt}", "{}"),
        {"pack_bundle": 2},
    ),
    "g2pw": (with_g2pw, {"pack_bundle": 4}),
    "a bar": (
        edited("config/config.yaml", "audio_snr_db: 40.0", "audio_snr_db: 41.0"),
        {"check_parity": 2, "pack_bundle": 2},
    ),
    "how bundles are timed": (appended("config/config.yaml", "\nbench: {rounds: 3}\n"), NOTHING),
    "another length": (
        edited("config/config.yaml", "[1000]", "[1000, 500]"),
        {"check_parity": 4, "pack_bundle": 4},
    ),
    "a mixed precision": (
        edited("config/config.yaml", "quantizer: fp32", "prior: fp32\n    quantizer: fp32"),
        {"measure_chain": 2, "measure_stream": 2, "check_parity": 2, "pack_bundle": 2},
    ),
    "a precision less": (edited("config/config.yaml", "[fp32, fp16]", "[fp32]"), NOTHING),
    "a voice of another name": (
        edited("config/config.yaml", "  - name: 演示 v2", "  - name: 演示"),
        {
            "describe_voice": 1,
            "export_sovits": 1,
            "export_t2s": 1,
            "record_chain": 1,
            "simplify_graph": 6,
            "reduce_precision": 5,
            "measure_parity": 11,
            "measure_chain": 2,
            "measure_stream": 2,
            "check_parity": 2,
            "pack_bundle": 2,
        },
    ),
    "a function that parity imports from the runtime": (
        edited("runtime/t2s/sampler.py", "if penalty == 1:", "if 1 == penalty:"),
        {"measure_parity": 28, "check_parity": 4, "pack_bundle": 4},
    ),
    "how a voice is streamed": (
        appended("runtime/acoustic/vits_stream.py", "\nMORE = 1\n"),
        {"measure_chain": 4, "measure_stream": 4, "check_parity": 4, "pack_bundle": 4},
    ),
    "how PyTorch speaks": (
        appended("workflow_scripts/proof/vits.py", "\nMORE = 1\n"),
        {
            "record_chain": 2,
            "measure_chain": 4,
            "measure_stream": 4,
            "check_parity": 4,
            "pack_bundle": 4,
        },
    ),
    "a back end that no proof runs on": (
        appended("runtime/backends/openvino.py", "\nMORE = 1\n"),
        NOTHING,
    ),
    "the code of packing": (
        appended("workflow_scripts/bundle/pack.py", "\nMORE = 1\n"),
        {"pack_bundle": 4},
    ),
    "a deleted graph": (
        removed(f"{GRAPHS}/prior.onnx"),
        {
            "export_sovits": 1,
            "simplify_graph": 4,
            "reduce_precision": 3,
            "measure_parity": 7,
            "measure_chain": 2,
            "measure_stream": 2,
            "check_parity": 2,
            "pack_bundle": 2,
        },
    ),
    "a deleted measurement": (
        removed("artifacts/parity/graphs/fp16/voices/演示 v2/prior.json"),
        {"measure_parity": 1, "check_parity": 1, "pack_bundle": 1},
    ),
    "a deleted verdict": (
        removed("artifacts/parity/verdicts/demo/1000/fp16.json"),
        {"check_parity": 1, "pack_bundle": 1},
    ),
    "a deleted manifest": (
        removed("artifacts/bundles/demo/1000/fp16/manifest.json"),
        {"pack_bundle": 1},
    ),
}


@pytest.mark.parametrize(("change", "want"), CHANGES.values(), ids=CHANGES)
def test_a_change_makes_again_what_depends_on_it(
    built: Path, change: Callable[[Path], object], want: dict[str, int]
) -> None:
    change(built)
    assert but_reports(pending(built, *LARGE)) == want


def but_reports(jobs: dict[str, int]) -> dict[str, int]:
    """The jobs without those of the report, which follows from every measurement and source."""
    return {rule: n for rule, n in jobs.items() if rule not in ("report_voice", "write_report")}


def test_a_report_is_made_again_where_what_it_shows_has_changed(built: Path) -> None:
    removed("artifacts/parity/graphs/fp16/voices/演示 v2/prior.json")(built)
    assert pending(built)["report_voice"] == pending(built)["write_report"] == 1
    build(built)
    edited("workflow_scripts/bundle/pack.py", "import argparse", "import argparse\n\nMORE = 1")(
        built
    )
    assert pending(built) == {"pack_bundle": 4}
    bench = built / "artifacts/bench/demo/1000/fp16.json"
    bench.parent.mkdir(parents=True)
    bench.write_text("{}")
    assert pending(built)["report_voice"] == 1


def test_new_content_of_what_text_is_read_with_makes_bundles_again_and_no_more(built: Path) -> None:
    with_g2pw(built)
    build(built)
    found = manifest.load(built / "artifacts/bundles/demo/1000/fp32")
    assert (set(found.g2pw), set(found.lexicons)) == (set(manifest.G2PW_FILES), {"en"})
    assert "g2pw" in found.sources
    assert pending(built, *LARGE) == {}
    (built / "g2pw/config.py").write_text("use_mask = False\n")
    assert but_reports(pending(built, *LARGE)) == {"pack_bundle": 4}
    (built / "g2pw/config.py").write_text("use_mask = False or 1\n")
    run = snakemake(built, "-n")
    assert run.returncode
    assert "error: shared.g2pw: g2pw/config.py: use_mask, " in run.stdout + run.stderr
