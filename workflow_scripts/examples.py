"""Whether a plan's sounds and base folders can be used at all, before anything runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runtime import audio as sound
from runtime.errors import AudioError
from runtime.reference.features import ssl_audio
from workflow_scripts.plan import Plan

SILENT = 1e-3  # of full scale: a louder sample is none of digital silence, hiss or dither
MODEL_TYPES = {"hubert": ("ssl", "hubert"), "roberta": ("bert", "bert")}  # graph: key, model_type
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def faults(plan: Plan) -> Iterator[str]:
    """A line for each sound or folder that the build would fail on, with where it stands."""
    for index, voice in enumerate(plan.voices):
        fault = _of_sound(Path(voice.reference.audio))
        if fault:
            yield f"voices[{index}].reference.audio: {fault}"
    for graph, (key, wanted) in MODEL_TYPES.items():
        if graph in plan.bases and (fault := _of_folder(Path(plan.bases[graph]), wanted)):
            yield f"shared.{key}: {fault}"


def _of_sound(path: Path) -> str:
    """Why a reference can't be imitated; empty if it can."""
    try:
        audio = sound.read(path)
        ssl_audio(audio)
    except AudioError as error:
        return f"{error}"
    if float(np.abs(audio.samples).max(initial=0)) < SILENT:
        return f"{path}: silent; give speech"
    return ""


def _of_folder(path: Path, wanted: str) -> str:
    """Why a folder is no Hugging Face model of a type; empty if it is."""
    config = path / "config.json"
    try:
        found = json.loads(config.read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return f"{path}: no readable config.json; give the model's folder"
    if found != wanted:
        return f"{config}: a model of type {found!r}, want {wanted!r}; give another folder"
    if not any((path / name).exists() for name in WEIGHTS):
        return f"{path}: none of {', '.join(WEIGHTS)}; bring the weights too"
    return ""
