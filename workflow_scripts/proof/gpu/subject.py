"""The voice that is measured: a bundle, or the graphs that an export left, with their tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime import manifest as manifests
from runtime.backends import Threads
from runtime.contract import STEP_TABLES
from runtime.errors import BundleError, GraphError
from runtime.graphs import DECODER, VoiceGraphs
from runtime.manifest import Acoustic
from workflow_scripts.checkpoint.families import Family
from workflow_scripts.proof.gpu.trials import GpuJob

RAW_MAX_LEN = 1000  # rows of the KV cache, where no bundle says another number


@dataclass(frozen=True)
class Subject:
    """Files of a voice at fp32.

    Attributes:
        files: graph → ONNX file.
        tables: `t2s_tables.npz`.
        acoustic: what a manifest states of the acoustic model.
        max_len: rows of the KV cache.
        reference: the voice's example.
        vocabulary: characters of RoBERTa; None where the voice has none.
    """

    files: Mapping[str, Path]
    tables: Path
    acoustic: Acoustic
    max_len: int
    reference: Path
    vocabulary: Path | None = None

    def on_cpu(self, threads: int) -> VoiceGraphs:
        """All of it on the CPU."""
        return VoiceGraphs(self.files, self.tables, self.acoustic, threads=Threads(threads))


def subject(job: GpuJob, row: Family) -> Subject:
    """What is measured.

    Args:
        job: its voice is a bundle's folder or one of exported graphs.
        row: the family of its acoustic checkpoint.

    Raises:
        BundleError: the folder can't be used.
        GraphError: its decoder is not at fp32.
    """
    folder = job.voice
    if (folder / manifests.NAME).exists():
        return _of_bundle(folder)
    found = {path.stem: path for path in sorted(folder.glob("*.onnx"))}
    lacking = {"t2s_embed", DECODER, *row.bases, *row.graphs} - found.keys()
    if lacking or not (folder / STEP_TABLES).exists():
        absent = ", ".join(sorted(lacking)) or STEP_TABLES
        raise BundleError(f"{folder}: neither a bundle nor exported graphs: no {absent}")
    if job.reference is None:
        raise BundleError(f"{folder}: exported graphs have no example; give --reference WAV")
    vocabulary = folder / manifests.VOCABULARY
    return Subject(
        found,
        folder / STEP_TABLES,
        Acoustic(**row.acoustic),
        RAW_MAX_LEN,
        job.reference,
        vocabulary if vocabulary.exists() and "roberta" in found else None,
    )


def _of_bundle(folder: Path) -> Subject:
    manifest = manifests.load(folder)
    manifests.verify(folder, manifest)
    if manifest.graphs[DECODER].precision != "fp32":
        raise GraphError(f"{folder}: its decoder is not fp32; measure the fp32 bundle")
    return Subject(
        {name: folder / member.file for name, member in manifest.graphs.items()},
        folder / STEP_TABLES,
        manifest.acoustic,
        manifest.max_len,
        folder / manifest.reference.audio,
        folder / manifests.VOCABULARY if "roberta" in manifest.graphs else None,
    )
