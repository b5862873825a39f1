"""A bundle out of made-up members: what lies in the folder, and what the runtime says of it."""

import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import soundfile

from runtime import manifest
from runtime.errors import ArtifactError, BundleError
from runtime.manifest import Defaults
from tests.g2pw_stand_in import lay_out as lay_out_g2pw
from tests.tiny_voice import tiny_bundle
from workflow_scripts.bundle import hear, pack
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part

GRAPHS = ("hubert", "roberta", "quantizer", "style", "prior", "vocoder", "t2s_embed", "t2s_decoder")
LABELS = Labels("演示 v2", "fp16", 1000, "Guten Morgen, it's me.", "en")
FACTS = {
    "family": "v2",
    "symbols": "v2",
    "acoustic": {"sampling_rate_hz": 32000, "spectrogram_bins": 704, "needs_speaker": False},
    "gpt": {"sizes": {"layers": 2, "heads": 4, "vocabulary": 1025, "max_sec": 54}},
}
ORIGIN = Origin(
    facts=FACTS,
    measured={"prior": {"latent_max_abs": 1e-6}, "chain": {"audio_snr_db": None}},
    sources={"gpt": "00"},
    tools={"onnx": "1.0"},
    options={"mixed_precision": {"prior": "fp32"}},
)


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    build = tmp_path / "build"
    build.mkdir()
    names = [*(f"{graph}.onnx" for graph in GRAPHS), "t2s_tables.npz", "vocabulary.json", "Mia.WAV"]
    names.append("names")
    for name in names:
        (build / name).write_bytes(name.encode())
    return Contents(
        parts=tuple(Part(graph, "fp16", build / f"{graph}.onnx") for graph in GRAPHS),
        tables=(build / "t2s_tables.npz", build / "vocabulary.json"),
        audio=build / "Mia.WAV",
        lexicons={"en": build / "names"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bundles/演示 v2"


def test_the_runtime_takes_what_was_packed(contents: Contents, folder: Path) -> None:
    packed = pack.pack(folder, contents, LABELS, ORIGIN)
    found = manifest.load(folder)
    manifest.verify(folder, found)
    assert found == packed
    assert (found.voice, found.reference.text) == ("演示 v2", "Guten Morgen, it's me.")
    assert (found.t2s.eos, found.acoustic.sampling_rate_hz) == (1024, 32000)
    assert found.options == {"mixed_precision": {"prior": "fp32"}}


def test_the_manifest_fits_its_schema(contents: Contents, folder: Path) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    schema = Path(manifest.__file__).with_name("manifest.schema.json").read_text("utf-8")
    written = json.loads((folder / "manifest.json").read_text("utf-8"))
    jsonschema.validate(written, json.loads(schema))


def test_whose_work_a_voice_is_goes_with_it(contents: Contents, folder: Path) -> None:
    notice = contents.audio.with_name("NOTICE.txt")
    notice.write_text("By somebody.\n")
    pack.pack(folder, replace(contents, notice=notice), LABELS, ORIGIN)
    assert (folder / "NOTICE.txt").read_text() == "By somebody.\n"
    assert "NOTICE.txt" in manifest.load(folder).files


@pytest.mark.parametrize("word", ["gpt", "reference-audio", "lexicon-en"])
def test_another_source_than_the_plan_names_is_refused(
    contents: Contents, folder: Path, word: str
) -> None:
    facts = FACTS | {"gpt": {**FACTS["gpt"], "sha256": "01"}}  # type: ignore[dict-item]
    with pytest.raises(ArtifactError, match=f"{word}: is another file now than when the build"):
        pack.pack(folder, contents, LABELS, replace(ORIGIN, facts=facts, sources={word: "00"}))
    assert not (folder / "manifest.json").exists()


def test_graphs_and_tables_are_links_and_the_example_is_a_copy(
    contents: Contents, folder: Path
) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    for part in contents.parts:
        assert (folder / f"{part.graph}.onnx").samefile(part.path)
    assert (folder / "t2s_tables.npz").samefile(contents.tables[0])
    assert not (folder / "reference.wav").samefile(contents.audio)
    assert (folder / "reference.wav").read_bytes() == b"Mia.WAV"


def test_a_lexicon_is_a_copy_named_by_its_language(contents: Contents, folder: Path) -> None:
    found = pack.pack(folder, contents, LABELS, ORIGIN)
    assert found.lexicons == {"en": "lexicon.en.txt"}
    assert (folder / "lexicon.en.txt").read_bytes() == b"names"
    assert not (folder / "lexicon.en.txt").samefile(contents.lexicons["en"])


def test_the_files_of_g2pw_are_links_and_no_graphs_of_the_contract(
    contents: Contents, folder: Path, tmp_path: Path
) -> None:
    source = lay_out_g2pw(tmp_path / "g2pw")
    (source / "record.log").touch()
    found = pack.pack(folder, replace(contents, g2pw=source), LABELS, ORIGIN)
    manifest.verify(folder, found)
    assert set(found.g2pw) == set(manifest.G2PW_FILES)
    assert found.g2pw["g2pW.onnx"] == "g2pw.onnx"
    assert set(found.graphs) == set(GRAPHS)
    for own, name in found.g2pw.items():
        assert (folder / name).samefile(source / own)
    (source / "polyphonic.rep").write_text("长官: ['zhang3', 'guan1']\n", "utf-8")
    assert (
        "polyphonic.rep" in pack.pack(folder, replace(contents, g2pw=source), LABELS, ORIGIN).g2pw
    )
    assert pack.pack(folder, contents, LABELS, ORIGIN).g2pw == {}
    assert not list(folder.glob("g2pw*"))


def test_where_links_fail_files_are_copied(
    contents: Contents, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError("links are not for this file system")

    monkeypatch.setattr(pack.os, "link", no_links)
    manifest.verify(folder, pack.pack(folder, contents, LABELS, ORIGIN))
    assert not (folder / "prior.onnx").samefile(contents.parts[4].path)


def test_packing_anew_removes_what_is_no_longer_listed(contents: Contents, folder: Path) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    (folder / "left").mkdir()
    (folder / "left/over.onnx").touch()
    less = replace(
        contents,
        parts=tuple(part for part in contents.parts if part.graph != "roberta"),
        tables=contents.tables[:1],
    )
    found = pack.pack(folder, less, LABELS, ORIGIN)
    assert {path.name for path in folder.iterdir()} == {*found.files, "manifest.json", "README.md"}
    assert "roberta.onnx" not in found.files


def test_packing_twice_gives_the_same_bytes(contents: Contents, folder: Path) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    first = (folder / "manifest.json").read_bytes()
    pack.pack(folder, contents, LABELS, ORIGIN)
    assert (folder / "manifest.json").read_bytes() == first


def test_a_failed_packing_leaves_no_manifest(contents: Contents, folder: Path) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    contents.parts[3].path.unlink()
    with pytest.raises(FileNotFoundError):
        pack.pack(folder, contents, LABELS, ORIGIN)
    assert not (folder / "manifest.json").exists()
    assert not list(folder.glob("*.part"))


def test_a_bundle_without_a_needed_graph_is_refused(contents: Contents, folder: Path) -> None:
    with pytest.raises(BundleError, match="has no graph 'hubert'"):
        pack.pack(folder, replace(contents, parts=contents.parts[1:]), LABELS, ORIGIN)


def test_facts_without_a_size_are_refused(contents: Contents, folder: Path) -> None:
    facts = FACTS | {"gpt": {"sizes": {}}}
    with pytest.raises(
        ArtifactError, match="facts of 演示 v2: no 'layers'; describe the voice anew"
    ):
        pack.pack(folder, contents, LABELS, replace(ORIGIN, facts=facts))


def test_the_command_takes_every_option(
    contents: Contents, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Path] = []
    monkeypatch.setattr(pack.example, "encode", encoded.append)  # these graphs are no graphs
    facts, verdict = tmp_path / "facts.json", tmp_path / "verdict.json"
    facts.write_text(json.dumps(FACTS))
    verdict.write_text(json.dumps({"bars": {}, "measured": ORIGIN.measured}))
    stream = tmp_path / "stream.json"
    content = {"graph": "stream", "metrics": {}, "cases": []}
    stream.write_text(json.dumps(content | {"recommended_lookahead_tokens": 20}))
    members = [
        word
        for part in contents.parts
        for word in ("--member", part.graph, part.precision, str(part.path))
    ]
    pack.main(
        [
            *members,
            *("--tables", *map(str, contents.tables)),
            *("--voice", "演示 v2", "--precision", "fp16", "--max-len", "1000"),
            *("--reference-audio", str(contents.audio)),
            *("--reference-text=Guten Morgen, it's me.", "--reference-lang", "en"),
            *("--lexicon", "en", str(contents.lexicons["en"])),
            *("--facts", str(facts), "--verdict", str(verdict), "--stream", str(stream)),
            *("--sources", '{"gpt": "00"}', "--tools", "onnx=1.0"),
            *("--options", '{"mixed_precision": {"prior": "fp32"}}'),
            *("--output", str(folder / "manifest.json")),
        ]
    )
    defaults = Defaults(lookahead_tokens=20)
    found = manifest.load(folder)
    assert found == pack.pack(tmp_path / "other", contents, LABELS, ORIGIN, defaults)
    assert found.defaults.lookahead_tokens == 20
    assert encoded == [folder]


def test_a_report_of_a_stream_that_recommends_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stream.json").write_text('{"graph": "stream", "metrics": {}, "cases": []}')
    with pytest.raises(ArtifactError, match=r"stream\.json: recommends no lookahead; remove it"):
        pack._defaults(tmp_path / "stream.json")


def test_a_build_ends_with_the_command_that_speaks(
    contents: Contents, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack.pack(folder, contents, LABELS, ORIGIN)
    hear.main([str(folder.parent)])
    assert capsys.readouterr().out == (
        f"hear it: python -m runtime.tts -m '{folder}' --lang en -f hello.wav"
        " 'Guten Morgen, it'\"'\"'s me.'\n"
    )


def test_the_first_bundle_says_its_example_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle()
    for name in ("one.wav", "two.wav"):
        hear.main([str(bundle), "--speak", str(tmp_path / name)])
    first, second = ((tmp_path / name).read_bytes() for name in ("one.wav", "two.wav"))
    assert first == second
    assert soundfile.info(tmp_path / "one.wav").samplerate == 32000
    assert f"{tmp_path / 'one.wav'}: {manifest.load(bundle).reference.text}\n" in (
        capsys.readouterr().out
    )


def test_of_several_voices_the_one_that_was_built_last_is_heard(tmp_path: Path) -> None:
    paths = [
        tmp_path / name / manifest.NAME for name in ("a/1/fp32", "b/1/fp32", "b/1/int8", "c/1/fp32")
    ]
    for path, when in zip(paths, (1, 2, 3, 2), strict=True):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (when, when))
    assert hear.latest(tmp_path) == paths[1:3]
    assert hear.latest(tmp_path / "empty") == []


def test_without_a_bundle_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hear.print_command([tmp_path / "manifest.json"])
    assert capsys.readouterr().out == ""
