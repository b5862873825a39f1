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
from workflow_scripts.units import words
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
    logger.info(progress.beginning(workflow.configfiles))

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
CODE = Path(os.path.relpath(ROOT)) if ROOT.is_relative_to(Path.cwd()) else ROOT  # may be moved
IMPORTER = str(CODE / "workflow_scripts/engines/data/importer.json")  # operators by release
