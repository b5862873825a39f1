"""Encode a bundle's example, so that nobody who speaks with it loads what encodes references."""

from pathlib import Path

from runtime.reference import pack
from runtime.voice import Voice


def encode(folder: Path) -> None:
    """Write the bundle's voice pack, whose one style is its example; on the CPU, in one thread.

    Raises:
        BundleError, AudioError: the bundle or its example can't be used.
    """
    with Voice.load(folder, provider="cpu", threads=1, verify="size") as voice:
        pack.save(folder / pack.NAME, {pack.DEFAULT: voice.example})
