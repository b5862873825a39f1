"""Targets of the configuration: what they become, and what is refused."""

from pathlib import Path

import pytest

from tests.workflow.configurations import Config, checked, faults, sound

LOCAL = {"name": "local", "backends": ["tensorrt"]}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return sound(tmp_path)


def with_int8(config: Config) -> Config:
    config["precisions"].append("int8")
    config["bars"]["int8"] = {"audio_snr_db": 10.0}
    return config


def test_without_targets_there_are_no_engines(config: Config) -> None:
    assert checked(config).targets == ()


def test_a_target_takes_every_precision_that_can_become_engines(config: Config) -> None:
    config["targets"] = [LOCAL]
    (target,) = checked(with_int8(config)).targets
    assert (target.library, target.precisions) == ("tensorrt", ("fp32", "fp16"))
    assert (target.required, target.requirement, target.slurm) == (False, [], None)


def test_a_target_may_be_required_and_reached_through_a_queue(config: Config) -> None:
    config["targets"] = [LOCAL | {"engines": "require", "slurm": {"partition": "gpu", "cpus": 8}}]
    (target,) = checked(config).targets
    assert (target.requirement, target.slurm) == (["--require"], {"partition": "gpu", "cpus": 8})


def test_engines_stand_under_target_machine_and_member(config: Config) -> None:
    config["targets"] = [LOCAL | {"precisions": ["fp16"]}]
    config["max_len"] = [500, 1000]
    files = checked(config).engine_files("local", "sm90-trt10.13-0123456789ab")
    head = "artifacts/engines/local/sm90-trt10.13-0123456789ab/fp16"
    assert f"{head}/voices/mia/500/t2s_loop.engine" in files
    assert f"{head}/voices/mia/1000/t2s_loop.json" in files
    assert f"{head}/shared/hubert/any/hubert.engine" in files
    assert f"{head}/shared/hubert/any/hubert.verified.json" in files
    assert len(set(files)) == len(files) == 3 * (1 + 2 + 2 * 4)


def test_a_loop_for_cuda_is_made_of_every_decoder_that_a_device_can_run(config: Config) -> None:
    config["max_len"] = [500, 1000]
    plan = checked(with_int8(config))
    head = "artifacts/engines/cuda"
    for precision in ("fp32", "fp16"):
        for rows in (500, 1000):
            for end in ("", ".json"):
                name = f"{head}/{precision}/voices/mia/{rows}/t2s_loop.onnx{end}"
                assert name in plan.loop_files
    assert len(plan.loop_files) == 8, "none of int8"
    assert plan.without_loop.startswith("no decode loop for int8: the decoder stays on the CPU; ")
    assert plan.loops["fp16"] == "fp16"


FAULTS = {
    "targets[1].name: 'LOCAL' is taken by targets[0] (case doesn't count)": [
        LOCAL,
        LOCAL | {"name": "LOCAL"},
    ],
    "targets[0].precisions[0]: 'int4' is not built; add it to precisions": [
        LOCAL | {"precisions": ["int4"]}
    ],
    "targets[0].precisions[0]: 'int8' can't become engines": [LOCAL | {"precisions": ["int8"]}],
    "targets[0]: unknown key 'backend'; did you mean 'backends'?": [LOCAL | {"backend": "x"}],
    "targets[0].backends[0]: 'cuda' is not one of": [LOCAL | {"backends": ["cuda"]}],
    "targets[0].engines: 'always' is not one of": [LOCAL | {"engines": "always"}],
    "targets[0].name: 'a b' is not a target's name": [LOCAL | {"name": "a b"}],
    "targets[0].slurm: unknown key 'queue'": [LOCAL | {"slurm": {"queue": "x"}}],
}


@pytest.mark.parametrize(("message", "targets"), FAULTS.items(), ids=FAULTS)
def test_faults_are_told_in_a_line(config: Config, message: str, targets: list[Config]) -> None:
    config["targets"] = targets
    (line,) = faults(with_int8(config))
    assert line.startswith(f"config: {message}")


def test_a_graph_that_is_kept_at_integers_can_not_become_an_engine(config: Config) -> None:
    config["targets"] = [LOCAL]
    config["mixed_precision"] = {"fp16": {"t2s_decoder": "int8"}}
    (line,) = faults(with_int8(config))
    assert "targets[0]: mixed_precision.fp16 keeps t2s_decoder at 'int8'" in line
