"""At full width: one sentence's bits are the same in any batch, place and number of threads.

Weights are drawn. The small trained voice shows nothing of this: its matrices are too narrow for
the kernels that take rows in pairs.
"""

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from runtime.backends import Threads
from runtime.backends.cpu import CpuGraph
from runtime.t2s.batch import Sessions, Trial, stable_places
from runtime.t2s.cache import CacheShape
from runtime.t2s.step_tables import StepTables
from tests.once import once
from workflow_scripts.checkpoint.layout import t2s_layout
from workflow_scripts.checkpoint.sizes import t2s_sizes
from workflow_scripts.graphs.t2s import build_decoder, step_tables
from workflow_scripts.models.t2s import T2S
from workflow_scripts.random_voice.__main__ import FULL, t2s_config
from workflow_scripts.random_voice.draw import drawn
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.weight_only import weight_only

LAYERS, PLACES = 2, 4
KINDS = {"fp32": None, "int8": (8, None), "int4": (4, None), "int8 of before": (8, 128)}


@cache
def model() -> T2S:
    config = t2s_config("v2", FULL)
    config["model"]["n_layer"] = LAYERS
    generator = torch.Generator().manual_seed(0)
    weights = drawn(t2s_layout(t2s_sizes(config, "full")), generator, torch.float16, shared=False)
    return T2S(weights, config)


def decoder(kind: str) -> Path:
    def make(folder: Path) -> None:
        graph = build_decoder(model(), "group_query")
        if KINDS[kind]:
            bits, block = KINDS[kind]
            graph, _ = weight_only(graph, ReductionJob("t2s_decoder", {}, block=block), bits)
        onnx.save(graph, folder / "t2s_decoder.onnx")

    return once(make, "full width", kind) / "t2s_decoder.onnx"


def sessions(kind: str) -> Sessions:
    return Sessions(*(CpuGraph(decoder(kind), Threads(threads)) for threads in (2, 1)))


def trial() -> Trial:
    sizes = model().sizes
    shape = CacheShape(sizes.layers, sizes.heads, sizes.head_width)
    return Trial.of(StepTables.from_arrays(step_tables(model()), 100), shape, PLACES)


@pytest.mark.parametrize("kind", ["fp32", "int8", "int4"])
def test_the_default_blocks_give_the_same_bits_at_any_batch_place_and_threads(kind: str) -> None:
    both = sessions(kind)
    alone = trial().logits(both.wide, 1)
    assert np.isfinite(alone).all()
    for together in range(1, PLACES + 1):
        for graph in (both.wide, both.narrow):
            np.testing.assert_array_equal(trial().logits(graph, together), alone)
    assert stable_places(both, trial()) == PLACES


def test_what_is_not_stable_on_this_machine_is_found_at_load() -> None:
    both = sessions("int8 of before")
    alone = trial().logits(both.wide, 1)
    same = [np.array_equal(alone, trial().logits(both.narrow, n)) for n in range(2, PLACES + 1)]
    assert stable_places(both, trial()) == (PLACES if all(same) else 1)
