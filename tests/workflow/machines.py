"""Machines that a copy of the workflow takes itself to run on: as in a file, not by the driver."""

import json
from dataclasses import replace
from pathlib import Path

import yaml

from runtime.machine import MachineRecord
from tests.runtime.fake_driver import Driver, packages, record_of

PRETENDED = "pretended.json"
PRETEND = f"""
def machine_record(library="tensorrt", device=0):
    '''What the file states of this node.'''
    node = os.environ.get("SLURMD_NODENAME", "here")
    return MachineRecord.from_json(json.loads(Path("{PRETENDED}").read_text("utf-8"))[node])


def main("""
BUILD = """
import json
from runtime.errors import EngineMismatch
from runtime.machine import MachineRecord, machine_record, differing
from runtime.cli import run
from workflow_scripts.stand_in import *
def main():
    known, given = arguments("graph")
    wanted = MachineRecord.from_json(json.loads(Path(given["--machine"]).read_text("utf-8")))
    here = machine_record()
    if here.id != given["--machine-id"] or here.id != wanted.id:
        wanted_id = given["--machine-id"]
        raise EngineMismatch(f"engine wanted for {wanted_id} but this machine is {here.id}")
    write(given["--output"], here.id, digest(known.graph))
    engine = Path(given["--output"]).read_bytes()
    sidecar = {
        "format": 1,
        "graph": given["--graph"],
        "machine": here.as_json(),
        "build": {
            "precision": given["--precision"],
            "max_len": int(given["--max-len"]),
            "onnx_sha256": hashlib.sha256(Path(known.graph).read_bytes()).hexdigest(),
            "profiles": [],
        },
        "engine": {"bytes": len(engine), "sha256": hashlib.sha256(engine).hexdigest()},
        "io_tensors": [],
    }
    write(given["--sidecar"], json.dumps(sidecar))
if __name__ == "__main__":
    run(main)
"""
VERIFY = """
import json
from runtime.machine import machine_record
from workflow_scripts.stand_in import *
known, given = arguments("engine")
here = machine_record()
found = {
    "format": 1,
    "engine_sha256": hashlib.sha256(Path(known.engine).read_bytes()).hexdigest(),
    "missed": [],
    "gpu": here.gpu_name,
    "soft": here.soft,
    "of": digest(given["--source"], given["--answers"]),
}
write(given["--output"], json.dumps(found))
"""
LOOP = """
from workflow_scripts.stand_in import *
known, given = arguments("decoder")
write(given["--output"], digest(known.decoder, given["--tables"]), given["--arithmetic"])
write(given["--output"] + ".json", "{}")
"""
IMPORT = """
import json
from workflow_scripts.stand_in import *
known, given = arguments("graph")
digest(known.graph)
write(given["--output"], json.dumps({"refused": "tensorrt_rtx is not installed to import it"}))
"""
H100 = record_of(Driver())
A100 = record_of(Driver(name="NVIDIA A100", attributes={75: 8, 76: 0, 16: 108}))
NEWER_LIBRARY = record_of(Driver(), packages(tensorrt="10.14.1.2"))
NEWER_DRIVER = record_of(Driver(driver="999.1"))
NO_GPU = replace(H100, hard={"os": "Linux", "arch": "x86_64"}, soft={}, missing="no NVIDIA driver")


def pretend(folder: Path, here: MachineRecord = NO_GPU, **nodes: MachineRecord) -> None:
    """Make the copy in `folder` take this machine, and nodes by name, for something else."""
    records = {name: record.as_json() for name, record in {"here": here, **nodes}.items()}
    (folder / PRETENDED).write_text(json.dumps(records), "utf-8")


def with_machines(folder: Path) -> Path:
    """Change a copy of the workflow so that machines can be pretended; one voice is enough."""
    module = folder / "runtime/machine.py"
    text = module.read_text("utf-8")
    assert text.count("\ndef main(") == 1
    module.write_text(text.replace("\ndef main(", PRETEND), "utf-8")
    for name, text in {"build": BUILD, "verify": VERIFY, "loop": LOOP, "imports": IMPORT}.items():
        (folder / f"workflow_scripts/engines/{name}.py").write_text(text, "utf-8")
    config = folder / "config/config.yaml"
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["targets"] = [{"name": "local", "backends": ["tensorrt"], "engines": "auto"}]
    settings["voices"] = settings["voices"][:1]
    config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    pretend(folder)
    return folder
