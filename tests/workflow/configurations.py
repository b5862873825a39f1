"""A configuration that is sound until a test harms it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.errors import ConfigError
from workflow_scripts import settings
from workflow_scripts.plan import Plan

ROOT = Path(__file__).parents[2]
SCHEMA = settings.schema_of(ROOT / "config/schema.yaml", settings.choices())
Config = dict


@dataclass(frozen=True)
class Said:
    """What a voice's files say."""

    family: str = "v2"
    bases: tuple[str, ...] = ("hubert",)
    kind: str = "vits"
    acoustic: dict = field(default_factory=dict)


def says(needs_speaker: bool = False) -> settings.Reader:
    bases = ("hubert", "speaker") if needs_speaker else ("hubert",)
    return lambda gpt, sovits, base: Said(bases=bases)


def sound(folder: Path) -> Config:
    """A configuration without a fault, and the files that it names, in `folder`."""
    for name in ("a.ckpt", "a.pth"):
        (folder / name).write_text("x")
    soundfile.write(folder / "a.wav", np.sin(np.arange(64_000) / 9) / 3, 16_000)
    for name, kind in (("hubert", "hubert"), ("roberta", "bert")):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(f'{{"model_type": "{kind}"}}')
        (folder / name / "model.safetensors").write_text("x")
    reference = {"audio": "a.wav", "text": "Hello.", "lang": "en"}
    return {
        "voices": [{"name": "mia", "gpt": "a.ckpt", "sovits": "a.pth", "reference": reference}],
        "shared": {"ssl": "hubert"},
        "precisions": ["fp32", "fp16"],
        "bars": {"fp32": {"audio_snr_db": 60.0}, "fp16": {"audio_snr_db": 40}},
    }


def checked(config: Config, facts_of: settings.Reader | None = None, files: tuple = ()) -> Plan:
    return settings.checked(config, SCHEMA, files, facts_of or says())


def faults(config: Config, facts_of: settings.Reader | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        checked(config, facts_of)
    return str(caught.value).splitlines()


def voice(config: Config) -> Config:
    return config["voices"][0]
