"""A copy of the workflow whose slow stages are a few lines each, to try what is rebuilt when.

Plan, configuration check, digests, verdict, packing and reading of checkpoints are the real ones.
What a stand-in writes depends on all that it was given, as the real stage's output does.
"""

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NOISE = Path(__file__).with_name("noise.yaml")
COPIED = (
    "Snakefile",
    "rules",
    "config",
    "profiles",
    "environment.yml",
    "runtime",
    "workflow_scripts",
)

BARS = """bars:
  fp32: {audio_snr_db: 60.0}
  fp16: {audio_snr_db: 40.0}
"""  # of what stand-ins measure

COMMON = """
import argparse, hashlib, json, sys
from pathlib import Path
def digest(*paths):
    files = [f for p in map(Path, paths) for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    content = [f.read_bytes() for f in files if f.is_file()]
    return hashlib.sha256(repr(content).encode()).hexdigest()
def write(path, *words):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(" ".join(map(str, words)), "utf-8")
def arguments(*positional, many=()):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in positional:
        parser.add_argument(name)
    for name in many:
        parser.add_argument(name, nargs="+")
    known, rest = parser.parse_known_args()
    words = [word for item in rest for word in item.split("=", 1)]
    return known, dict(zip(words[::2], words[1::2]))
"""

STAGES = {
    "graphs/export.py": """
from workflow_scripts.stand_in import *
GRAPHS = {"sovits": ["quantizer", "style", "prior", "vocoder"], "t2s": ["t2s_embed", "t2s_decoder"]}
TABLES = {"t2s": "t2s_tables.npz", "roberta": "vocabulary.json"}
known, given = arguments("kind", "source")
if b"spoilt" in (Path(known.source).read_bytes() if Path(known.source).is_file() else b""):
    raise SystemExit(f"error: {known.source}: spoilt; take another")
for graph in GRAPHS.get(known.kind, [known.kind]):
    write(f"{given['--graphs']}/{graph}.onnx", graph, digest(known.source))
    write(f"{given['--answers']}/{graph}.npz", graph, digest(known.source))
if known.kind in TABLES:
    write(f"{given['--tables']}/{TABLES[known.kind]}", digest(known.source))
""",
    "graphs/simplify.py": """
from workflow_scripts.stand_in import *
known, given = arguments("raw")
write(given["--output"], "simple", digest(known.raw, given["--answers"]))
write(given["--record"], "{}")
""",
    "variants/reduce.py": """
from workflow_scripts.stand_in import *
known, given = arguments("graph")
write(given["--output"], given["--to"], digest(known.graph, given["--answers"]))
write(given["--record"], "{}")
""",
    "proof/parity.py": """
from runtime.t2s.sampler import penalised
from workflow_scripts.stand_in import *
known, given = arguments("graph")
digest(known.graph, given["--answers"])
report = {"graph": given["--name"], "cases": [], "metrics": {"output_relative_rms": 0.001}}
write(given["--output"], json.dumps(report))
""",
    "proof/record.py": """
from workflow_scripts.stand_in import *
known, given = arguments()
write(given["--output"], digest(*(given[f"--{word}"] for word in ("gpt", "sovits", "ssl"))))
""",
    "proof/speed/__main__.py": """
from workflow_scripts.stand_in import *
known, given = arguments()
work = {word: given[f"--{word}"] for word in ("tokens", "rounds", "threads")}
made_of = digest(given["--voice"], given["--gpt"], given["--sovits"])
write(given["--json"], json.dumps(work | {"made_of": made_of}))
""",
    "bundle/example.py": """
def encode(folder):
    (folder / "styles.zip").write_text("encoded", "utf-8")
""",
    "report/write.py": """
from workflow_scripts.stand_in import *
known, given = arguments(many=["--parts"]) if "--parts" in sys.argv else arguments()
write(given["--page"], "page")
write(given["--output"], digest(*known.parts) if "parts" in known else given["--voice"])
""",
    "proof/chain.py": """
from workflow_scripts.stand_in import *
known, given = arguments(many=["named"])
digest(given["--answers"], *(named.split("=", 1)[1] for named in known.named))
metrics = {"audio_snr_db": 100.0}
report = {"graph": "chain", "cases": [{"case": "all", "metrics": metrics}], "metrics": metrics}
write(given["--output"], json.dumps(report))
write(given["--sound"], "sound")
""",
    "proof/stream.py": """
from workflow_scripts.stand_in import *
known, given = arguments(many=["named"])
digest(given["--answers"], *(named.split("=", 1)[1] for named in known.named))
metrics = {"stream_seam_error": 0.0, "stream_lost_samples": 0}
report = {"graph": "stream", "cases": [{"case": "all", "metrics": metrics}], "metrics": metrics}
report["recommended_lookahead_tokens"] = 16
write(given["--output"], json.dumps(report))
write(given["--sound"], "sound")
""",
}

STEADY = """mixed_precision:
  fp16:
    quantizer: fp32
    speaker: fp16_stored
bars:
  fp32: {audio_snr_db: 60.0, seam_error: 1.0e-4}
  fp16: {audio_snr_db: 40.0}
"""  # in place of the real ones, which may be tuned


def lay_out(folder: Path) -> Path:
    """Make the copy, with voices that speak noise."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    scripts = folder / "workflow_scripts"
    (scripts / "stand_in.py").write_text(COMMON, "utf-8")
    for name, text in STAGES.items():
        (scripts / name).write_text(text, "utf-8")
    text = NOISE.read_text("utf-8")
    (folder / "config/config.yaml").write_text(
        text[: text.index("mixed_precision:")] + STEADY, "utf-8"
    )
    bring_sources(folder)
    return folder


def bring_sources(folder: Path) -> None:
    """Copy what that configuration names, with the same paths, into `folder`."""
    config = yaml.safe_load(NOISE.read_text("utf-8"))
    for source in dict.fromkeys(sources(config)):
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
        copy(ROOT / source, folder / source)


def sources(config: dict[str, Any]) -> list[str]:
    """Every path of a configuration."""
    own = [
        [v["gpt"], v["sovits"], v["reference"]["audio"], *v.get("lexicons", {}).values()]
        for v in config["voices"]
    ]
    return [*(path for paths in own for path in paths), *filter(None, config["shared"].values())]
