"""Export the graphs of one source, each with the answers that PyTorch gave."""

import argparse
from functools import partial
from pathlib import Path

from runtime.cli import option, run
from runtime.contract import STEP_TABLES
from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.checkpoint.peek import peek
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.checkpoint.whole import read_whole
from workflow_scripts.files import atomic, write_json
from workflow_scripts.graphs import cases
from workflow_scripts.graphs.cfm import traced_vocoder
from workflow_scripts.graphs.outputs import Exporter, Outputs, always
from workflow_scripts.graphs.t2s import export_t2s
from workflow_scripts.graphs.trace import trace
from workflow_scripts.graphs.vocabulary import read_vocabulary
from workflow_scripts.models.bases import read_tensor_file
from workflow_scripts.models.eres2net import load_eres2net
from workflow_scripts.models.hubert import load_hubert
from workflow_scripts.models.roberta import load_roberta


def export_hubert(source: Source, to: Outputs) -> None:
    """Write the graph of a HuBERT folder."""
    trace("hubert", load_hubert(source), cases.hubert_inputs(), to.of("hubert"))


def export_roberta(source: Source, to: Outputs) -> None:
    """Write the graph of a RoBERTa folder, and the characters it knows."""
    write_json(to.tables["vocabulary.json"], read_vocabulary(source))
    roberta = load_roberta(source)  # compares the whole folder with the plan
    sizes = roberta.network.config
    inputs = cases.roberta_inputs(sizes.vocab_size, sizes.max_position_embeddings)
    trace("roberta", roberta, inputs, to.of("roberta"))


def export_speaker(source: Source, to: Outputs) -> None:
    """Write the graph of an ERes2NetV2 file."""
    weights = read_tensor_file(source)
    source.confirm()
    network = load_eres2net(weights, f"{source.path}")
    trace("speaker", network, cases.speaker_inputs(), to.of("speaker"))


def export_mel_vocoder(name: str, source: Source, to: Outputs) -> None:
    """Write the graph of a vocoder of v3 or v4."""
    _, module, inputs = traced_vocoder(name, source)
    trace(name, module, inputs, to.of(name))


def export_sovits(source: Source, to: Outputs, base: Source | None = None) -> None:
    """Write the graphs of a SoVITS checkpoint, as the kind of its family has them.

    Args:
        source: the file.
        to: where to write.
        base: what a LoRA file is merged over; None of a whole file.
    """
    stored = read_whole(source, base)
    row = FAMILIES[f"{stored.family}"]
    if tuple(to.graphs) != row.graphs:
        raise CheckpointError(f"{source.path}: was changed while it was read; export it again")
    network = row.function("load")(stored.weights, stored.config, f"{source.path}")
    for name, module, inputs in row.function("traced")(network):
        trace(name, module, inputs, to.of(name))


def graphs_of_sovits(source: Path) -> tuple[str, ...]:
    """Graphs of a SoVITS checkpoint.

    Raises:
        CheckpointError: the file can't be used.
    """
    return FAMILIES[f"{peek(source, 'sovits').family}"].graphs


MEL_VOCODER_SOURCES = {
    "bigvgan": "folder of a BigVGAN of 24 kHz and 100 bands",
    "vocoder_v4": "vocoder.pth of v4",
}
EXPORTERS: dict[str, Exporter] = {
    "hubert": Exporter(export_hubert, always("hubert"), "folder of a HuBERT"),
    "roberta": Exporter(
        export_roberta, always("roberta"), "folder of a Chinese RoBERTa", ("vocabulary.json",)
    ),
    "speaker": Exporter(export_speaker, always("speaker"), "ERes2NetV2 file"),
    **{
        name: Exporter(partial(export_mel_vocoder, name), always(name), source)
        for name, source in MEL_VOCODER_SOURCES.items()
    },
    "t2s": Exporter(
        export_t2s, always("t2s_embed", "t2s_decoder"), "T2S checkpoint", (STEP_TABLES,)
    ),
    "sovits": Exporter(export_sovits, graphs_of_sovits, "SoVITS checkpoint"),
}


def export(
    kind: str,
    source: Path | Source,
    graphs: Path,
    answers: Path,
    tables: Path,
    base: Path | Source | None = None,
) -> None:
    """Export one source; all files appear, or none.

    Args:
        kind: a key of EXPORTERS.
        source: file or folder of that kind, and which one it must be.
        graphs: folder for `{graph}.onnx`.
        answers: folder for `{graph}.npz`.
        tables: folder for what the kind writes besides.
        base: of a SoVITS file, what a LoRA is merged over.

    Raises:
        CheckpointError: the source can't be used.
    """
    row = EXPORTERS[kind]
    write = row.write if base is None else partial(row.write, base=Source.of(base))
    taken = Source.of(source)
    names = row.graphs(taken.path)
    count = len(names)
    wanted = (
        *(graphs / f"{name}.onnx" for name in names),
        *(answers / f"{name}.npz" for name in names),
        *(tables / name for name in row.tables),
    )
    with atomic(*wanted) as parts:
        write(
            taken,
            Outputs(
                dict(zip(names, parts[:count], strict=True)),
                dict(zip(names, parts[count : 2 * count], strict=True)),
                dict(zip(row.tables, parts[2 * count :], strict=True)),
            ),
        )


def main(argv: list[str] | None = None) -> None:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    sources = "; ".join(f"{kind}: {row.source}" for kind, row in EXPORTERS.items())
    parser.add_argument("kind", choices=EXPORTERS, help="what the source is")
    parser.add_argument("source", type=Path, help=sources)
    parser.add_argument("--graphs", type=Path, required=True, metavar="DIR", help="for ONNX files")
    parser.add_argument("--answers", type=Path, required=True, metavar="DIR", help="for npz files")
    parser.add_argument(
        "--tables", type=Path, metavar="DIR", help="for further files (default: as --graphs)"
    )
    option(parser, "--sha256", metavar="DIGEST", help="refuse any other source")
    option(parser, "--base", type=Path, metavar="FILE", help="of a LoRA file: its base")
    option(parser, "--base-sha256", metavar="DIGEST", help="refuse any other base")
    args = parser.parse_args(argv)
    if args.base is not None and args.kind != "sovits":
        parser.error("--base: only a SoVITS file has one")
    source, tables = Source(args.source, args.sha256), args.tables or args.graphs
    base = args.base and Source(args.base, args.base_sha256)
    export(args.kind, source, args.graphs, args.answers, tables, base)


if __name__ == "__main__":
    run(main)
