"""What the configuration becomes, and what its files and names do to it."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from runtime.errors import ArtifactError, CheckpointError, ConfigError
from tests.g2pw_stand_in import lay_out as lay_out_g2pw
from tests.workflow.configurations import (
    ROOT,
    SCHEMA,
    Config,
    Said,
    checked,
    faults,
    says,
    sound,
    voice,
)
from workflow_scripts import settings
from workflow_scripts.proof import bars
from workflow_scripts.proof.metrics import METRICS
from workflow_scripts.variants.bars import suggested
from workflow_scripts.variants.precisions import PRECISIONS


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return sound(tmp_path)


def test_a_sound_configuration_gives_its_plan_and_is_not_changed(config: Config) -> None:
    before = copy.deepcopy(config)
    plan = checked(config)
    assert config == before
    assert (plan.lengths, plan.precisions) == (("1000",), ("fp32", "fp16"))
    assert plan.bases == {"hubert": "hubert"}


@pytest.mark.parametrize("name", ["mia", "演示 v2", "a", "Ärger", "x.y-z_1", "No 5"])
def test_names_in_any_script_are_taken(config: Config, name: str) -> None:
    voice(config)["name"] = name
    assert checked(config).voices[0].name == name


def test_lengths_from_the_command_line_are_numbers(config: Config) -> None:
    config["max_len"] = ["64", "128"]
    assert checked(config).lengths == ("64", "128")


def test_numbers_of_timing_from_the_command_line_are_numbers(config: Config) -> None:
    config["bench"] = {"tokens": "30", "rounds": 2}
    bench = checked(config).bench
    assert (bench.tokens, bench.rounds, bench.threads) == (30, 2, 2)


def test_the_speaker_base_is_demanded_by_a_voice_that_needs_it(config: Config) -> None:
    (line,) = faults(config, says(needs_speaker=True))
    assert line.startswith("config: shared.sv: null, but voices[0] is a v2 voice; give")


def test_a_checkpoint_that_is_refused_is_a_line_of_the_configuration(config: Config) -> None:
    def refuse(gpt: Path, sovits: Path, base: Path | None) -> Said:
        raise CheckpointError(f"{gpt}: not a checkpoint; take another")

    config["voices"].append(voice(config) | {"name": "noa"})
    assert faults(config, refuse) == [
        f"config: voices[{index}]: a.ckpt: not a checkpoint; take another" for index in (0, 1)
    ]


def test_graphs_that_a_precision_is_not_meant_for_get_another(config: Config) -> None:
    config["precisions"] = ["int8"]
    config["bars"]["int8"] = {"audio_snr_db": 10}
    config["mixed_precision"] = {"int8": {"prior": "fp32"}}
    mixed = checked(config).mixed_precision["int8"]
    assert (mixed["vocoder"], mixed["prior"]) == ("fp16_stored", "fp32")
    assert "t2s_decoder" not in mixed


def test_hubert_has_8_bits_only_where_that_is_asked_for(config: Config) -> None:
    config["precisions"] = ["int8"]
    config["bars"]["int8"] = {"audio_snr_db": 10}
    assert checked(config).mixed_precision["int8"]["hubert"] == "fp16_stored"
    config["mixed_precision"] = {"int8": {"hubert": "int8"}}
    assert checked(config).mixed_precision["int8"]["hubert"] == "int8"
    config["mixed_precision"] = {"int8": {"vocoder": "int8_kv8"}}
    assert faults(config) == [
        "config: mixed_precision.int8.vocoder: 'int8_kv8' is not meant for it; use 'fp16_stored'"
    ]


def test_a_reduction_is_planned_and_its_faults_are_told(config: Config) -> None:
    config["reduction"] = {"int8": {"hubert": {"block": "32", "keep_fp32": ["*.0.*"]}}}
    assert checked(config).reduction_options("int8", "hubert") == [
        *("--block", "32", "--keep-fp32", "*.0.*")
    ]
    config["reduction"] = {"int8": {"vocoder": {"block": 32}}}
    assert faults(config) == ["config: reduction.int8.vocoder: never written at it; leave it out"]
    config["reduction"] = {"int4": {"t2s_decoder": {"block": 33, "keep_int8": "all"}}}
    assert faults(config) == [
        "config: reduction.int4.t2s_decoder.block: 33 is not one of [16, 32, 64, 128, 256]",
        "config: reduction.int4.t2s_decoder.keep_int8: 'all' is not of type 'array'",
    ]


def test_a_repeated_key_is_refused_with_its_line(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("voices:\n  - name: a\n    name: b\nmax_len: [1]\nmax_len: [2]\n")
    with pytest.raises(ConfigError) as caught:
        checked(config, files=(file,))
    message = str(caught.value).splitlines()
    assert message == [
        f"{file}: line 5: key 'max_len' appears twice; keep one",
        f"{file}: line 3: key 'name' appears twice; keep one",
    ]


def test_faults_name_the_files_that_were_merged(config: Config, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("max_len: [1]\n")
    config["max_len"] = [1]
    with pytest.raises(ConfigError, match=re.escape("a.yaml + b.yaml: max_len[0]: 1 is less")):
        checked(config, files=(Path("a.yaml"), Path("b.yaml")))


def test_graphs_without_build_records_are_refused(tmp_path: Path) -> None:
    artifacts, records = tmp_path / "artifacts", tmp_path / "metadata"
    settings.refuse_lost_records(artifacts, records)
    (artifacts / "graphs/fp32").mkdir(parents=True)
    (artifacts / "graphs/fp32/prior.onnx").touch()
    with pytest.raises(ArtifactError, match=r"has no build records .* bring \.snakemake/ along"):
        settings.refuse_lost_records(artifacts, records)
    records.mkdir()
    (records / "one").touch()
    settings.refuse_lost_records(artifacts, records)


def test_broken_lexicons_are_refused_with_file_and_line(config: Config, tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("# names\nMia M IY1 AH0\n")
    (tmp_path / "zh.txt").write_text("银行 yin2\n", "utf-8")
    (tmp_path / "ja.txt").write_bytes(b"\xff\xff\xff")
    voice(config)["lexicons"] = {"en": "en.txt"}
    settings.refuse_broken_sources(checked(config))
    voice(config)["lexicons"] |= {"zh": "zh.txt", "ja": "ja.txt"}
    with pytest.raises(ConfigError) as caught:
        settings.refuse_broken_sources(checked(config))
    assert str(caught.value).splitlines() == [
        "voices[0].lexicons.zh: lexicon zh.txt:1: '银行' has 2 characters;"
        " give one syllable, or two phones, each",
        "voices[0].lexicons.ja: lexicon ja.txt: it is not UTF-8; save it as UTF-8",
    ]


def test_a_folder_of_g2pw_is_checked_file_by_file(config: Config, tmp_path: Path) -> None:
    config["shared"] |= {"bert": "roberta", "g2pw": "g2pw"}
    folder = lay_out_g2pw(tmp_path / "g2pw")
    settings.refuse_broken_sources(checked(config))
    (folder / "config.py").write_text("use_mask = os.environ\n")
    with pytest.raises(ConfigError, match=r"^shared\.g2pw: g2pw.config\.py: use_mask, .*; write"):
        settings.refuse_broken_sources(checked(config))
    config["shared"]["bert"] = None
    assert faults(config) == [
        "config: shared.g2pw: needs the vocabulary of shared.bert, which is null; give that too"
    ]
    config["shared"]["bert"] = "roberta"
    (folder / "config.py").unlink()
    (line,) = faults(config)
    assert line.startswith("config: shared.g2pw: no such file 'g2pw/config.py'")


@pytest.mark.parametrize("name", ["config/config.yaml", "tests/workflow/noise.yaml"])
def test_the_embedded_configurations_are_sound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = yaml.safe_load((ROOT / name).read_text("utf-8"))
    assert checked(config, files=(ROOT / name,)).voices


def test_odd_names_stay_in_what_the_workflow_is_tested_with() -> None:
    config = yaml.safe_load((ROOT / "tests/workflow/noise.yaml").read_text("utf-8"))
    names = [voice["name"] for voice in config["voices"]]
    assert any(" " in name and not name.isascii() for name in names)


def test_every_key_is_described() -> None:
    text = (ROOT / "config/README.md").read_text("utf-8")
    keys = set(re.findall(r"^#+ `([\w.\[\]]+)`", text, re.M))
    assert keys == set(keys_of(SCHEMA))


def keys_of(schema: Config, above: str = "") -> list[str]:
    found = []
    for key, below in schema.get("properties", {}).items():
        name = f"{above}{key}"
        found += [name, *keys_of(below, f"{name}."), *keys_of(below.get("items", {}), f"{name}[].")]
    return found


def test_a_precision_without_bars_has_those_of_its_row(config: Config) -> None:
    own = config.pop("bars")["fp32"]
    assert checked(config).bars == {n: PRECISIONS[n].bars for n in ("fp32", "fp16")}
    config["bars"] = {"fp32": own}
    assert checked(config).bars == {"fp32": own, "fp16": PRECISIONS["fp16"].bars}


def test_every_precision_has_bars_that_metrics_answer_with_their_reason() -> None:
    for name, row in PRECISIONS.items():
        assert row.because, name
        for key, bar in row.bars.items():
            output, metric = bars.split(key)
            assert metric in METRICS, (name, output, bar)
        assert {"seam_error", "lost_samples", "audio_snr_db"} <= set(row.bars), name


def test_the_suggested_bars_are_yaml_for_the_configuration() -> None:
    found = yaml.safe_load(suggested(list(PRECISIONS)))
    assert found == {"bars": {name: dict(row.bars) for name, row in PRECISIONS.items()}}
