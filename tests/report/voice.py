"""The evidence of a tiny voice, measured by the build's own scripts, and ways to harm it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime import audio as sound
from runtime import records
from runtime.backends import Arrays, GraphRunner, Threads
from runtime.frames import frame_count
from runtime.graphs import VoiceGraphs
from tests import bundles
from tests.graphs.exported import exported
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.graphs.export import EXPORTERS
from workflow_scripts.proof import chain, parity, stream
from workflow_scripts.proof.record import SPEED, load_networks, record_chain
from workflow_scripts.report import write
from workflow_scripts.report.job import BundleFiles, VoiceFiles
from workflow_scripts.report.summary import VoiceReport, read_voice
from workflow_scripts.variants.precisions import PRECISIONS

FRAME_SAMPLES = 640
WHOLES = {320, 80, frame_count(320, SPEED)}  # frames of the decodes that are no chunks
Harm = Callable[[onnx.ModelProto], None]
NAME, ACOUSTIC = "tiny", FAMILIES["v2"].acoustic
SOURCES = {"t2s": bundles.GPT, "sovits": bundles.SOVITS / "v2.pth", "hubert": bundles.HUBERT}


def measured(folder: Path) -> VoiceFiles:
    """Everything that a build measures of the v2 voice, below a folder."""
    graphs: dict[str, str] = {}
    parities: dict[str, str] = {}
    for kind, source in SOURCES.items():
        for graph in EXPORTERS[kind].graphs(source):
            graphs[graph] = f"{folder / graph}.onnx"
            shutil.copy2(exported(kind, source) / f"{graph}.onnx", graphs[graph])
            shutil.copy2(exported(kind, source) / f"{graph}.npz", folder)
            parities[graph] = measure_graph(folder, graph)
    tables = shutil.copy2(exported("t2s", bundles.GPT) / "t2s_tables.npz", folder)
    networks = load_networks(
        SOURCES["t2s"], AcousticSources(SOURCES["sovits"]), SOURCES["hubert"], None
    )
    record = folder / "chain.npz"
    record_chain(networks, sound.read(bundles.EXAMPLE)).save(record)
    (folder / "facts.json").write_text('{"family": "v2"}', "utf-8")
    named = [f"{name}={path}" for name, path in graphs.items()]
    common = ["--answers", f"{record}", "--acoustic", records.text(ACOUSTIC)]
    for way, words in ((chain, [*named, f"t2s_tables={tables}"]), (stream, named)):
        name = way.__name__.rpartition(".")[2]
        files = ["--output", f"{folder / name}.json", "--sound", f"{folder / name}.npy"]
        way.main([*words, *common, *files])
    bundle = BundleFiles(
        max_len="1000",
        precision="fp32",
        bars=PRECISIONS["fp32"].bars,
        graphs=graphs,
        parity=parities,
        chain=f"{folder / 'chain'}.json",
        chain_sound=f"{folder / 'chain'}.npy",
        stream=f"{folder / 'stream'}.json",
        stream_sound=f"{folder / 'stream'}.npy",
    )
    reference = {"audio": "a.wav", "text": "Hello.", "lang": "en"}
    return VoiceFiles(
        NAME, f"{folder / 'facts.json'}", f"{record}", reference, {"gpt": "0" * 64}, (bundle,)
    )


def measure_graph(folder: Path, graph: str) -> str:
    """Hold a graph against its recorded answers; the report's path."""
    output = folder / f"{graph}.json"
    answers = ["--name", graph, "--answers", f"{folder / graph}.npz", "--output", f"{output}"]
    parity.main([f"{folder / graph}.onnx", *answers])
    return f"{output}"


def copied(files: VoiceFiles, to: Path) -> VoiceFiles:
    """The same evidence in another folder, to be harmed."""
    here = Path(files.record).parent
    shutil.copytree(here, to)
    text = json.dumps(asdict(files)).replace(f"{here}", f"{to}")
    content = json.loads(text)
    bundles_of = tuple(BundleFiles(**bundle) for bundle in content.pop("bundles"))
    return replace(VoiceFiles(**content), bundles=bundles_of, engines=())


def harmed(files: VoiceFiles, graph: str, harm: Harm) -> None:
    """Change one graph of a copy, and measure it anew."""
    path = Path(files.bundles[0].graphs[graph])
    model = onnx.load(path)
    harm(model)
    onnx.save(model, path)
    measure_graph(path.parent, graph)


def reported(files: VoiceFiles, folder: Path) -> tuple[str, VoiceReport]:
    """What the command writes: the page, and the numbers."""
    page, numbers = folder / "index.html", folder / "voice.json"
    job = json.dumps(asdict(files))
    write.main(["--voice", job, "--page", f"{page}", "--output", f"{numbers}"])
    return page.read_text("utf-8"), read_voice(numbers)


def one_weight(model: onnx.ModelProto) -> None:
    """One number of the largest convolution is another."""
    convolutions = (tensor for tensor in model.graph.initializer if len(tensor.dims) == 3)
    weight = max(convolutions, key=lambda tensor: len(tensor.raw_data))
    values = numpy_helper.to_array(weight).copy()
    values.flat[values.size // 2] += 1
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def overflow(model: onnx.ModelProto) -> None:
    """The output passes through fp16, a million times as large."""
    name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [f"{name}.before" if out == name else out for out in node.output]
    factor = numpy_helper.from_array(np.float32(1e6), "million")
    model.graph.initializer.append(factor)
    make = helper.make_node
    model.graph.node.extend(
        [
            make("Mul", [f"{name}.before", "million"], [f"{name}.large"]),
            make("Cast", [f"{name}.large"], [f"{name}.half"], to=TensorProto.FLOAT16),
            make("Cast", [f"{name}.half"], [f"{name}.wide"], to=TensorProto.FLOAT),
            make("Div", [f"{name}.wide", "million"], [name]),
        ]
    )


def swapped_inputs(model: onnx.ModelProto) -> None:
    """Keys and values of the first layer's cache change places."""
    other = {"past_keys.0": "past_values.0", "past_values.0": "past_keys.0"}
    for node in model.graph.node:
        node.input[:] = [other.get(name, name) for name in node.input]


def zeroed_channel(model: onnx.ModelProto) -> None:
    """The first convolution's first channel is silent."""
    kept = {tensor.name: tensor for tensor in model.graph.initializer}
    node = next(n for n in model.graph.node if n.op_type == "Conv" and n.input[1] in kept)
    values = numpy_helper.to_array(kept[node.input[1]]).copy()
    values[0] = 0
    kept[node.input[1]].CopyFrom(numpy_helper.from_array(values, node.input[1]))


class LosesAFrame(VoiceGraphs):
    """A voice whose vocoder gives a frame less where it is given a chunk."""

    def open(self, graph: str) -> GraphRunner:
        runner = super().open(graph)
        return _ShortVocoder(runner) if graph == "vocoder" else runner


class _ShortVocoder:
    def __init__(self, vocoder: GraphRunner) -> None:
        self._vocoder = vocoder

    def input_dim(self, name: str, axis: int) -> int:
        return self._vocoder.input_dim(name, axis)

    def run(self, inputs: Arrays) -> list[np.ndarray]:
        (samples,) = self._vocoder.run(inputs)
        chunk = inputs["latent"].shape[-1] not in WHOLES
        return [samples[..., FRAME_SAMPLES:] if chunk else samples]


def losing_a_frame(files: VoiceFiles) -> LosesAFrame:
    """The voice's graphs with that vocoder."""
    paths = {name: Path(path) for name, path in files.bundles[0].graphs.items()}
    acoustic = chain.acoustic_of(records.text(ACOUSTIC))
    return LosesAFrame(paths, Path(), acoustic, threads=Threads(1))
