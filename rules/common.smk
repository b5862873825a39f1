import json
import os
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
if (HERE / "workflow_scripts").is_dir():
    sys.path.insert(0, str(HERE))
try:  # of a module that was fetched by git only the rules are here: the code must be installed
    import workflow_scripts
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"error: {HERE}: {error.name} is not installed; pip install '.[build]' in a checkout of it"
    )
ROOT = Path(workflow_scripts.__file__).parents[1]
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(ROOT))}; ")

from runtime.acoustic.kind import KINDS
from runtime.backends import BACKENDS
from runtime.errors import FoundryError
from runtime.machine import machine_record
from workflow_scripts import digests, progress, settings
from workflow_scripts.bundle import hear
from workflow_scripts.checkpoint import families, peek
from workflow_scripts.plan import ANY_LENGTH, DECODER, LOOP, T2S_GRAPHS
from workflow_scripts.report import job as report_job

try:
    PLAN = settings.checked(
        config,
        settings.schema_of(Path(workflow.source_path("../config/schema.yaml")), settings.choices()),
        [Path(path) for path in workflow.configfiles],
        peek.buildable,
    )
    if workflow.is_main_process:
        settings.refuse_lost_records(Path("artifacts"), Path(".snakemake/metadata"))
        settings.refuse_broken_sources(PLAN)
except FoundryError as error:
    raise WorkflowError("\n".join(f"error: {line}" for line in str(error).splitlines()))

PROGRESS = None
if workflow.is_main_process:
    asked = workflow.output_settings
    PROGRESS = progress.install(logger, asked.verbose or asked.printshellcmds)

SOURCES = digests.Sources(
    Path(".snakemake/source_digests.json"), settled=True, follow=not workflow.is_main_process
)
TOOLS = ("torch", "transformers", "onnx", "onnxsim", "onnxconverter-common", "onnxruntime", "numpy")


# what scripts load by the names in tables, for their digests
BACK_ENDS = [row.module for row in BACKENDS.values()]
ACOUSTIC_MODELS = [row.module for row in KINDS.values()]
LAYOUTS = [m for row in families.KINDS.values() for m in row.modules("sizes", "layout")]
NETWORKS = [m for row in families.KINDS.values() for m in row.modules("load", "traced")]
SPOKEN = [m for row in families.KINDS.values() for m in row.modules("load", "spoken")]
IMPORTER = str(ROOT / "workflow_scripts/engines/data/importer.json")  # operators by release


def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


workflow.global_resources.setdefault("gpu", 1)  # one job at a time measures on a GPU


wildcard_constraints:
    voice=one_of(voice.name for voice in PLAN.voices),
    base=one_of(PLAN.bases),
    unit=one_of(PLAN.units),
    graph=one_of([*PLAN.bases, *PLAN.acoustic_graphs, *T2S_GRAPHS, LOOP]),
    max_len=one_of(PLAN.lengths),
    precision=one_of(PLAN.stored_precisions),
    target=one_of(target.name for target in PLAN.targets),
    machine=r"[A-Za-z0-9._-]+",
    length=one_of([ANY_LENGTH, *PLAN.lengths]),


def voice_of(wildcards):
    return PLAN.voice(wildcards.voice)


def notice_of(wildcards):
    """Digest of what goes into a bundle from beside the voice's example; empty without it."""
    path = Path(voice_of(wildcards).reference.audio).with_name("NOTICE.txt")
    return SOURCES.of(path) if path.is_file() else ""


def members_of(wildcards):
    return PLAN.members(wildcards.voice, wildcards.precision)


def of_members(pattern):
    return lambda wildcards: [pattern.format(member) for member in members_of(wildcards)]


def named(files):
    return [f"{name}={path}" for name, path in files.items()]


def in_json(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def target_of(wildcards):
    return PLAN.target(wildcards.target)


def slurm(key, default=None):
    return lambda wildcards: (target_of(wildcards).slurm or {}).get(key, default)


def seen_here(wildcards):
    """This machine where a target is this machine; another's can't be seen from here."""
    target = target_of(wildcards)
    if target.slurm is not None:
        return "remote"
    here = machine_record(target.library)
    return f"{here.id} {in_json(here.soft)}"


def recorded_soft(wildcards):
    """What an engine's answers depend on besides its machine, as the machine was recorded."""
    record = Path(f"artifacts/machines/{wildcards.target}.json")
    return in_json(json.loads(record.read_text("utf-8"))["soft"]) if record.exists() else ""


def engine_source(wildcards):
    """The graph that an engine is built of."""
    graph = DECODER if wildcards.graph == LOOP else wildcards.graph
    return f"artifacts/graphs/{wildcards.precision}/{wildcards.unit}/{graph}.onnx"


def engine_answers(wildcards):
    """What an engine is compared on."""
    graph = DECODER if wildcards.graph == LOOP else wildcards.graph
    return f"artifacts/reference/{wildcards.unit}/{graph}.npz"


def loop_tables(wildcards):
    """What an engine with the token's embedding needs besides."""
    return [f"artifacts/tables/{wildcards.unit}/t2s_tables.npz"] * (wildcards.graph == LOOP)


def record_of(target):
    """What the machine behind a target is, once a job there has said it."""
    with checkpoints.record_machine.get(target=target.name).output[0].open() as file:
        return json.load(file)


def engines_of(target):
    """Engines of a target, or none and a line that says why."""
    record = record_of(target)
    if record["missing"]:
        logger.warning(f"engines: none for target {target.name}: {record['missing']}")
        return []
    states = f"artifacts/engines/{target.name}/report.json"
    return [*PLAN.engine_files(target.name, record["id"]), states]


def all_engines(wildcards):
    return [path for target in PLAN.targets for path in engines_of(target)]


def evidence_of(wildcards):
    """What a target's report is made of: its engines, or imports where none can be built."""
    target = target_of(wildcards)
    record = record_of(target)
    if not record["missing"]:
        return PLAN.engine_files(target.name, record["id"])
    return [f"artifacts/imports/{place}.json" for place in PLAN.engine_places(target.name)]


def report_files(wildcards):
    """What the report of a voice is made of, with the digests of its sources."""
    sources = SOURCES.of_each(PLAN.sources(wildcards.voice))
    return report_job.voice_files(PLAN, wildcards.voice, sources)
