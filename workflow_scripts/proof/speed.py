"""Time built voices beside the PyTorch loop that they replace, turn by turn in one process."""

from functools import partial
from pathlib import Path

import torch

from runtime import bench
from runtime.cli import option, run
from workflow_scripts.checkpoint.read import read
from workflow_scripts.models.t2s import T2S, KVCache

RIVAL = "PyTorch loop, growing cache"


def pytorch_ways(model: T2S) -> bench.StepWays:
    """The same work in PyTorch, float32, as the reference does it: the cache grows by copying."""
    steps = {
        rows: {RIVAL: partial(_steps, model, _cache_of(model, rows - 1))} for rows in bench.ROWS
    }
    return bench.StepWays(steps, {RIVAL: partial(_prefill, model)})


def _cache_of(model: T2S, rows: int) -> KVCache:
    sizes = model.sizes
    shape = (1, sizes.heads, rows, sizes.head_width)
    return KVCache(
        [torch.zeros(shape) for _ in range(sizes.layers)],
        [torch.zeros(shape) for _ in range(sizes.layers)],
    )


@torch.inference_mode()
def _steps(model: T2S, full: KVCache) -> None:
    rows = full.keys[0].shape[2]
    for _ in range(bench.STEPS_PER_TURN):
        model.step(0, rows, KVCache(list(full.keys), list(full.values)))


@torch.inference_mode()
def _prefill(model: T2S) -> None:
    prompt = bench.prefill_prompt(model.sizes.vocabulary)
    parts = (prompt.phones, prompt.features, prompt.tokens)
    model.decode(*model.embed(*(torch.from_numpy(part)[None] for part in parts)), KVCache())


def main(argv: list[str] | None = None) -> None:
    """Parse, time, print."""
    parser = bench.parser()
    parser.description = __doc__
    option(parser, "--gpt", type=Path, required=True, help="the voice's T2S checkpoint")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    checkpoint = read(args.gpt, "t2s")
    model = T2S(checkpoint.weights, checkpoint.config, str(args.gpt))
    report = bench.bench(args.voice, args.threads, args.rounds, pytorch_ways(model))
    bench.publish(report, args.json)


if __name__ == "__main__":
    run(main)
