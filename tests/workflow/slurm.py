"""A queue of this machine's own: Debian's SLURM with pretend nodes of two GPU types, as root."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PLUGIN = "snakemake_executor_plugin_slurm"
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = {"h100": "sm90", "a100": "sm80"}  # name: what its jobs ask for by `constraint`
CONFIGURATION = """
ClusterName=playground
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={port}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
GresTypes=gpu
{nodes}
PartitionName=gpu Nodes={names} Default=YES MaxTime=INFINITE State=UP
PartitionName=cpu Nodes={names} MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4"
    " RealMemory=16000 Feature={feature} Gres=gpu:{name}:1 State=UNKNOWN"
)


def lacking() -> str | None:
    """Why there can be no such queue here, or None."""
    absent = [name for name in DAEMONS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian's slurm-wlm and munge)"
    if find_spec(PLUGIN) is None:
        return f"{PLUGIN.replace('_', '-')} not installed"
    return None if os.geteuid() == 0 else "the daemons need root"


def _path() -> str:
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin"])


@contextmanager
def playground(folder: Path) -> Iterator[dict[str, str]]:
    """The daemons, as long as the block lasts; gives the environment that finds them."""
    _configure(folder)
    path = os.pathsep.join([str(_commands(folder)), _path()])
    environment = {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    started = [_munge(folder)]
    try:
        for command in (["slurmctld"], *(["slurmd", "-N", node] for node in NODES)):
            words = [*command, "-D", "-f", str(folder / "slurm.conf")]
            started.append(_daemon(words, folder, environment))
        _until_idle(environment)
        yield environment
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(60)


def _configure(folder: Path) -> None:
    host = socket.gethostname()
    ports = _free_ports(1 + len(NODES))
    nodes = [
        NODE.format(name=name, host=host, port=port, feature=feature)
        for (name, feature), port in zip(NODES.items(), ports[1:], strict=True)
    ]
    text = CONFIGURATION.format(
        host=host, port=ports[0], folder=folder, nodes="\n".join(nodes), names=",".join(NODES)
    )
    (folder / "slurm.conf").write_text(text, "utf-8")
    gres = [f"NodeName={name} Name=gpu Type={name} File=/dev/null" for name in NODES]
    (folder / "gres.conf").write_text("\n".join(gres) + "\n", "utf-8")
    for name in ("state", *NODES):
        (folder / name).mkdir()


def _commands(folder: Path) -> Path:
    """`srun` that knows the queue: jobs lose every variable of SLURM before they call it."""
    script = folder / "bin" / "srun"
    script.parent.mkdir()
    found = shutil.which("srun", path=_path())
    script.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {found} "$@"\n', "utf-8")
    script.chmod(0o755)
    return script.parent


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _munge(folder: Path) -> "subprocess.Popen[bytes]":
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    places = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log"}
    options = [f"--{option}={folder}/munge.{end}" for option, end in places.items()]
    seed = f"--seed-file={folder}/munge.seed"
    return _daemon(["munged", "--foreground", "--force", *options, seed], folder, dict(os.environ))


def _daemon(
    words: list[str], folder: Path, environment: dict[str, str]
) -> "subprocess.Popen[bytes]":
    found = shutil.which(words[0], path=_path())
    assert found is not None
    with (folder / f"{'-'.join(words[:3]).replace('/', '_')}.out").open("wb") as out:
        return subprocess.Popen([found, *words[1:]], env=environment, stdout=out, stderr=out)


def _until_idle(environment: dict[str, str], seconds: float = 60) -> None:
    """Daemons tell no one when they are ready: they are asked until they are."""
    until = time.monotonic() + seconds
    asking = [shutil.which("sinfo", path=_path()) or "", "-h", "-N", "-o", "%N %t"]
    while True:
        asked = subprocess.run(asking, env=environment, capture_output=True, text=True)
        if set(asked.stdout.splitlines()) == {f"{node} idle" for node in NODES}:  # per partition
            return
        assert time.monotonic() < until, f"no queue: {asked.stdout}{asked.stderr}"
        time.sleep(0.5)
