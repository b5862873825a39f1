"""A whole voice on a device: prefill, first sound, a sentence, and the memory that it takes."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from runtime import noise
from runtime.arrays import Samples
from runtime.backends import Folders, Threads
from runtime.backends.choices import choose
from runtime.backends.ort_loop import OrtLoop
from runtime.graphs import DECODER, VoiceGraphs
from runtime.measure.timing import interleaved, memory_bandwidth
from runtime.measure.workload import STREAMING, Replay, conditioning
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import Finish, Limits, TokenSource, sampled
from runtime.t2s.sampler import Sampling
from workflow_scripts.proof.gpu import loops
from workflow_scripts.proof.gpu.loops import Loop
from workflow_scripts.proof.gpu.reports import MEASURED, NEEDS_GPU, Memory, Speech, not_measured
from workflow_scripts.proof.gpu.subject import Subject
from workflow_scripts.proof.gpu.trials import GpuJob

BANDWIDTH_BYTES = 1 << 30
TOKENS_PER_SECOND = 25


def speech(job: GpuJob, voice: Subject, loop: Loop) -> Speech:
    """First sound and total through the runtime's own back end for the device.

    Args:
        job: what to measure.
        voice: its files.
        loop: how the decoder is written; the other graphs are those of the voice.
    """
    with tempfile.TemporaryDirectory(prefix="loop-") as folder:
        path = loops.make(voice.files, voice.tables, loop, Path(folder))
        return replace(_speech(job, voice, path), loop=f"{loop}")


def _speech(job: GpuJob, voice: Subject, loop: Path) -> Speech:
    free = free_bytes(job.device)
    graphs = replace(
        voice.on_cpu(job.threads),
        backends=choose(job.device).backends,
        folders=Folders(engines=loop.parent),
    )
    opened = [graphs.open(name) for name in voice.files if name != DECODER]
    made: list[int] = []
    works = _works(job, voice, graphs, _decoder(job, graphs, loop), made)
    times = interleaved(works, job.rounds)
    return Speech(
        MEASURED,
        prefill_ms=times.spread("prefill").times(1e3),
        first_sound_ms=times.spread("first_sound").times(1e3),
        total_ms=times.spread("total").times(1e3),
        back_ends=dict(graphs.opened),
        graphs=len(opened) + 1,
        tokens=len(made),
        rtf=times.spread("total").median * TOKENS_PER_SECOND / len(made),
        memory=_taken(free, free_bytes(job.device)),
    )


def _decoder(job: GpuJob, graphs: VoiceGraphs, loop: Path) -> TokenSource:
    """The loop; the CPU stand-in opens it itself: the runtime decodes otherwise on a CPU."""
    if job.device == "cuda":
        return graphs.decoder()
    return LoopDecoder(graphs.open("t2s_embed"), OrtLoop(loop, Threads(job.threads), job.place))


def _works(
    job: GpuJob,
    voice: Subject,
    graphs: VoiceGraphs,
    decoder: TokenSource,
    made: list[int],
) -> dict[str, Callable[[], object]]:
    """What is timed; the last one leaves its tokens in `made`."""
    acoustic, replay = graphs.acoustic_model(), Replay.of(job.tokens)
    under = conditioning(replay, acoustic.made_up())
    chooser = sampled(Sampling(), partial(noise.exponentials, 0, 0))
    limits = Limits(early_stop_tokens=job.tokens - 1, max_len=voice.max_len)

    def prefill() -> None:
        once = Limits(early_stop_tokens=0, max_len=voice.max_len)
        for _ in decoder.tokens(replay.prompt, chooser, once, Finish()):
            pass

    def first_sound() -> Samples:
        with closing(decoder.tokens(replay.prompt, chooser, limits, Finish())) as tokens:
            return next(acoustic.stream(tokens, under, STREAMING)).samples

    def total() -> Samples:
        tokens = np.fromiter(decoder.tokens(replay.prompt, chooser, limits, Finish()), np.int64)
        made[:] = tokens.tolist()
        return acoustic.whole(tokens, under).samples

    return {"prefill": prefill, "first_sound": first_sound, "total": total}


def _taken(before: int | None, after: int | None) -> Memory:
    """Device memory of the voice with its bases, every graph loaded and a sentence spoken."""
    if before is None or after is None:
        return not_measured(Memory, NEEDS_GPU)
    return Memory(MEASURED, before - after, before)


def free_bytes(device: str) -> int | None:
    """Memory that is free on a GPU; None on the CPU."""
    if device != "cuda":
        return None
    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info()[0])


def bandwidth(job: GpuJob) -> float:
    """Bytes per second that the device reads."""
    if job.device != "cuda":
        return memory_bandwidth(job.threads, buffer_bytes=BANDWIDTH_BYTES >> 5)
    values = torch.ones(BANDWIDTH_BYTES // 4, device="cuda")

    def read_all() -> None:
        values.sum()
        torch.cuda.synchronize()

    return BANDWIDTH_BYTES / float(interleaved({"read": read_all}, 9).seconds["read"].min())
