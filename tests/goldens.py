"""The reference's own numbers: which cases there are and their arrays, by the manifests alone."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWN = Path(__file__).parent / "golden"  # what tests build voices from, whatever --golden-dir says
ROOT = OWN  # --golden-dir replaces it before collection


@cache
def manifest(kind: str) -> dict[str, Any]:
    """The manifest of one kind ("t2s", "sovits"); empty where the folder has none."""
    path = ROOT / kind / "manifest.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


@cache
def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of one npz file, by name."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


@dataclass(frozen=True)
class Case:
    """One recorded run.

    Attributes:
        name: unique among its kind; the test's id.
        folder: where its files are.
        data: name of its npz file.
        facts: what the manifest says of it.
        checkpoint: name of the model's file or folder; empty if it needs none.
    """

    name: str
    folder: Path
    data: str
    facts: dict[str, Any] = field(compare=False)
    checkpoint: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def model(self) -> Path:
        """The checkpoint, or the folder of a base."""
        return self.folder / self.checkpoint

    def __getitem__(self, array: str) -> NDArray[Any]:
        return arrays(self.folder / self.data)[array]

    def __contains__(self, array: str) -> bool:
        return array in arrays(self.folder / self.data)


def t2s_cases(kind: str) -> list[Case]:
    """Cases of `single` utterances, `batch`, `stream`, `sampling` or `pe`."""
    files = manifest("t2s").get("files", {})
    return [
        Case(name.removesuffix(".npz"), ROOT / "t2s", name, facts, facts.get("checkpoint", ""))
        for name, facts in files.items()
        if facts["kind"] == kind
    ]


def t2s_checkpoints() -> list[Path]:
    """Every T2S checkpoint of the set."""
    found = manifest("t2s").get("checkpoints", {})
    return [ROOT / "t2s" / facts["file"] for facts in found.values()]


def sovits_models() -> list[Case]:
    """One case per acoustic model; `facts["cases"]` lists its decodes."""
    models = manifest("sovits").get("models", {})
    return [
        Case(name, ROOT / "sovits", facts["data"], facts, facts["checkpoint"])
        for name, facts in models.items()
    ]


def sovits_decodes() -> list[Case]:
    """One case per recorded decode of every acoustic model."""
    return [
        Case(f"{model}-{decode['name']}", model.folder, model.data, decode, model.checkpoint)
        for model in sovits_models()
        for decode in model.facts["cases"]
    ]


def frontend_cases(kind: str) -> list[Case]:
    """Cases of `spectrogram`, `resample`, `reference_audio` or `fbank`."""
    front = manifest("sovits").get("frontend")
    if not front:
        return []
    return [
        Case(f"{kind}{i}", ROOT / "sovits", front["data"], facts, facts.get("wav", ""))
        for i, facts in enumerate(front[kind])
    ]


def speaker_cases() -> list[Case]:
    """One case per recorded speaker embedding."""
    found = manifest("sovits").get("speaker_verification", {"models": [], "data": ""})
    return [
        Case(case["embedding"], ROOT / "sovits", found["data"], case | {"config": model["config"]},
             model["checkpoint"])
        for model in found["models"]
        for case in model["cases"]
    ]  # fmt: skip


def base_cases(kind: str) -> list[Case]:
    """One case per recorded pass of a `hubert` or `bert` folder."""
    found = manifest("sovits").get(kind, {"models": [], "data": ""})
    return [
        Case(f"{model['dir']}-{i}", ROOT / "sovits", found["data"], model | case, model["dir"])
        for model in found["models"]
        for i, case in enumerate(model.get("outputs") or model["cases"])
    ]


FLOW_MATCHING = "sovits_v3v4"


def flow_matching_file(kind: str) -> Path:
    """The file of the v3 and v4 goldens whose kind begins so ("v3 base", "v4 LoRA", ...)."""
    files = manifest(FLOW_MATCHING).get("files", {})
    name = next((name for name, facts in files.items() if facts["kind"].startswith(kind)), "")
    return ROOT / FLOW_MATCHING / name if name else Path()


def flow_matching_cases(ending: str) -> list[Case]:
    """Cases of the v3 and v4 goldens by the ending of their name: `dit`, `cfm`, `chain`, ...

    A case whose checkpoint the set does not hold is left out.
    """
    cases = manifest(FLOW_MATCHING).get("cases", {})
    found = []
    for name, facts in cases.items():
        family, _, what = name.partition("_")
        kind = f"{family} LoRA" if what == "lora" else f"{family} base"
        checkpoint = flow_matching_file(kind).name
        if what == ending and checkpoint:
            folder = ROOT / FLOW_MATCHING
            found.append(Case(name, folder, facts["file"], facts | {"family": family}, checkpoint))
    return found


def flow_matching_case(name: str) -> Case | None:
    """One case that needs no checkpoint (`resample`, `sola`); None where the set lacks it."""
    facts = manifest(FLOW_MATCHING).get("cases", {}).get(name)
    return Case(name, ROOT / FLOW_MATCHING, facts["file"], facts) if facts else None


def full_size_case(name: str) -> tuple[Case, int] | None:
    """A case of real sizes, and the seed that its weights are drawn from."""
    path = ROOT / FLOW_MATCHING / "manifest_full.json"
    if not path.exists():
        return None
    listed = json.loads(path.read_text("utf-8"))
    facts = listed["cases"][name]
    return Case(name, path.parent, facts["file"], facts), listed["seed"]


def text_records(name: str) -> list[dict[str, Any]]:
    """Records of `text/NAME.jsonl`; none where the folder has no such file."""
    path = ROOT / "text" / f"{name}.jsonl"
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    )
