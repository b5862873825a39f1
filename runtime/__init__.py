"""Speak from the artifacts that the pipeline built: numpy and ONNX Runtime, no torch.

voice = Voice.load(folder); audio = voice.synthesize("Hello.", lang="en", seed=7);
for chunk in voice.stream("Hello. Goodbye."): ...
"""

import importlib
from typing import TYPE_CHECKING, Any

from runtime import telemetry

if TYPE_CHECKING:
    from runtime.acoustic.kind import Streaming
    from runtime.audio import Audio
    from runtime.errors import FoundryError
    from runtime.reference.prepared import EncodedReference
    from runtime.settings import Reference, Settings
    from runtime.speech import AudioChunk, Speech, SpeechStream
    from runtime.voice import Voice

__all__ = [
    "Audio",
    "AudioChunk",
    "EncodedReference",
    "FoundryError",
    "Reference",
    "Settings",
    "Speech",
    "SpeechStream",
    "Streaming",
    "Voice",
]

telemetry.switch_off()  # before any import of what would report

_HOMES = {
    "Audio": "runtime.audio",
    "AudioChunk": "runtime.speech",
    "EncodedReference": "runtime.reference.prepared",
    "FoundryError": "runtime.errors",
    "Reference": "runtime.settings",
    "Settings": "runtime.settings",
    "Speech": "runtime.speech",
    "SpeechStream": "runtime.speech",
    "Streaming": "runtime.acoustic.kind",
    "Voice": "runtime.voice",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: `runtime.text` alone needs no ONNX Runtime."""
    if name == "__version__":
        return importlib.import_module("runtime.cli").version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
