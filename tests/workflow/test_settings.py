"""What the configuration becomes, and what its files and names do to it."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from runtime.errors import ArtifactError, CheckpointError, ConfigError
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
    def refuse(gpt: Path, sovits: Path) -> Said:
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


def test_a_repeated_key_is_refused_with_its_line(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("voices:\n  - name: a\n    name: b\nmax_len: [1]\nmax_len: [2]\n")
    with pytest.raises(ConfigError) as caught:
        checked(config, files=(file,))
    told = str(caught.value).splitlines()
    assert told == [
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


def test_the_embedded_configuration_is_sound_and_odd_names_stay_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    plan = checked(config, files=(ROOT / "config/config.yaml",))
    assert any(" " in v.name and not v.name.isascii() for v in plan.voices)


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
