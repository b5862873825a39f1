"""The graphs of v1, v2, v2Pro and v2ProPlus, each with the cases that PyTorch answers."""

from collections.abc import Iterator

from torch import nn

from workflow_scripts.graphs import cases
from workflow_scripts.graphs.wrappers import Prior, Quantizer, Style, Vocoder
from workflow_scripts.models.sovits import Sovits

Traced = tuple[str, nn.Module, dict[str, cases.Inputs]]


def traced(sovits: Sovits) -> Iterator[Traced]:
    """Name, module and cases of each graph, in the contract's order."""
    yield "quantizer", Quantizer(sovits), cases.quantizer_inputs(sovits)
    yield "style", Style(sovits), cases.style_inputs(sovits)
    yield "prior", Prior(sovits), cases.prior_inputs(sovits)
    yield "vocoder", Vocoder(sovits), cases.vocoder_inputs(sovits)
