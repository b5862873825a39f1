"""`profiles/slurm` with a real queue: every target's engines are built on its own node.

The nodes are processes of this machine; which GPU one has stands in a file. So this shows where
jobs go and what they write, not that an engine works.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runtime.machine import MachineRecord
from tests.workflow import slurm
from tests.workflow.build import PLAIN, build
from tests.workflow.machines import A100, H100, NO_GPU, pretend, with_machines
from tests.workflow.stand_ins import lay_out

LACKING = slurm.lacking()
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(LACKING is not None, reason=f"unverified: profiles/slurm; {LACKING}"),
]
OPTIONS = ("--profile", "profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue")
MACHINES: dict[str, MachineRecord] = {"h100": H100, "a100": A100}


def fleet(folder: Path) -> Path:
    """A copy of the workflow with one voice and a target for each node."""
    with_machines(lay_out(folder))
    config = folder / "config/config.yaml"
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["voices"] = settings["voices"][:1]
    settings["targets"] = [
        {
            "name": name,
            "backends": ["tensorrt"],
            "precisions": ["fp32"],
            "engines": "require",
            "slurm": {"partition": "gpu", "constraint": slurm.NODES[name], "gpu": 1, "cpus": 1},
        }
        for name in MACHINES
    ]
    config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    build(folder, "graphs")
    return folder


def through_queue(
    folder: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    found = {"PATH": environment["PATH"], "SLURM_CONF": environment["SLURM_CONF"]}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *words, *OPTIONS],
        cwd=folder,
        env=PLAIN | found | {"USER": os.environ.get("USER", "root")},
        text=True,
        capture_output=True,
        timeout=1200,
    )


def test_each_target_builds_its_own_engines_into_the_one_tree(tmp_path: Path) -> None:
    folder, queue = tmp_path / "build", tmp_path / "queue"
    folder.mkdir(), queue.mkdir()
    fleet(folder)
    pretend(folder, NO_GPU, **MACHINES)
    with slurm.playground(queue) as environment:
        run = through_queue(folder, environment, "engines")
        assert run.returncode == 0, run.stdout + run.stderr
        for name, record in MACHINES.items():
            found = sorted((folder / f"artifacts/engines/{name}").rglob("*.engine"))
            assert len(found) == 9
            assert {path.read_text().split()[0] for path in found} == {record.id}
            compared = [path.with_suffix(".verified.json").read_text("utf-8") for path in found]
            assert {json.loads(text)["gpu"] for text in compared} == {record.gpu_name}
            stored = json.loads((folder / f"artifacts/machines/{name}.json").read_text("utf-8"))
            assert stored["id"] == record.id

        # the node behind a target is exchanged: its engines are refused until its record is new
        pretend(folder, NO_GPU, h100=A100, a100=A100)
        engine = found_engine(folder, "h100", H100)
        engine.unlink()
        run = through_queue(folder, environment, f"{engine.relative_to(folder)}")
        assert run.returncode == 1
        message = f"engine wanted for {H100.id} but this machine is {A100.id}"
        assert message in run.stdout + run.stderr
        assert not engine.exists()


def found_engine(folder: Path, target: str, machine: MachineRecord) -> Path:
    return next((folder / f"artifacts/engines/{target}/{machine.id}").rglob("vocoder.engine"))
