import subprocess
import sys
from typing import Any

import pytest

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.families import (
    FAMILIES,
    HEADERS,
    MD5S,
    SUPPORTED,
    SYMBOL_TABLES,
    TEXT_EMBEDDING,
    Marks,
    family_of,
)


def marks(rows: int = 732, **changes: Any) -> Marks:
    """Marks of a v2 file but for what is changed."""
    settled: dict[str, Any] = {"header": "PK", "md5": "", "model": {}}
    settled["shapes"] = {TEXT_EMBEDDING: (rows, 192)}
    return Marks(**(settled | changes))


FLOW = {TEXT_EMBEDDING: (732, 192), "cfm.estimator.proj_out.weight": (100, 1024)}
LORA = {
    "cfm.base_model.model.estimator.transformer_blocks.0.attn.to_q.lora_A.default.weight": (4, 8)
}
PRO = {TEXT_EMBEDDING: (732, 192), "sv_emb.weight": (1024, 20480)}


def test_the_table_imports_nothing_heavy() -> None:
    code = (
        "import sys, workflow_scripts.checkpoint.families;"
        "assert not {'torch', 'numpy', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_row_is_whole(name: str) -> None:
    row = FAMILIES[name]
    assert row.symbols in SYMBOL_TABLES
    assert row.spectrogram_bins == (1025 if name == "v1" else 704)
    assert row.needs_speaker == name.startswith("v2Pro")
    assert row.lora == name.endswith("LoRA")
    assert row.headers or row.md5s
    assert all(HEADERS[header] == name for header in row.headers)
    assert all(MD5S[md5] == name for md5 in row.md5s)


def test_headers_and_md5s_stand_for_one_family_each() -> None:
    assert sorted(HEADERS) == ["00", "01", "02", "03", "04", "05", "06"]
    assert sum(len(row.md5s) for row in FAMILIES.values()) == len(MD5S) == 6
    assert SUPPORTED[-2:] == ("v3 LoRA", "v4 LoRA")


@pytest.mark.parametrize(
    ("shown", "family"),
    [
        (marks(322), "v1"),
        (marks(732), "v2"),
        (marks(322, header="01"), "v1"),
        (marks(732, header="00"), "v2"),
        (marks(322, model={"version": "v2"}), "v1"),
        (marks(shapes=PRO), "v2Pro"),
        (marks(shapes=PRO, header="05"), "v2Pro"),
        (marks(shapes=PRO, header="06"), "v2ProPlus"),
        (marks(shapes=PRO, header="01"), "v2Pro"),
        (marks(shapes=PRO, md5=FAMILIES["v2ProPlus"].md5s[0]), "v2ProPlus"),
        (marks(shapes=PRO, model={"version": "v2ProPlus"}), "v2ProPlus"),
        (marks(shapes=PRO, model={"upsample_initial_channel": 768}), "v2ProPlus"),
        (marks(shapes=PRO, model={"upsample_initial_channel": 512}), "v2Pro"),
        (marks(shapes=FLOW), "v3"),
        (marks(shapes=FLOW, model={"version": "v4"}), "v4"),
        (marks(shapes=FLOW, model={"version": "v3"}), "v3"),
        (marks(shapes=FLOW, header="02"), "v3"),
        (marks(shapes=FLOW, header="01"), "v3"),
        (marks(shapes=FLOW, md5=FAMILIES["v4"].md5s[0]), "v4"),
        (marks(shapes=LORA, header="03"), "v3 LoRA"),
        (marks(shapes=LORA, header="04", model={"version": "v3"}), "v4 LoRA"),
        (marks(shapes=LORA, lora=True, model={"version": "v4"}), "v4 LoRA"),
        (marks(shapes=FLOW, header="04"), "v4"),
        (marks(lora=True), "v3 LoRA"),
    ],
)
def test_content_has_the_last_word(shown: Marks, family: str) -> None:
    assert family_of(shown, "mia") == family


def test_the_official_v1_file_is_v1() -> None:
    assert family_of(marks(322, md5="dc3c97e17592963677a4a1681f30c653"), "s2G488k.pth") == "v1"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (marks(400), "mia: 400 rows in enc_p.text_embedding.weight, known are 322 .v1. and 732"),
        (marks(shapes={TEXT_EMBEDDING: ()}), "mia: 0 rows in enc_p.text_embedding.weight"),
        (marks(shapes={"dec.x": (1,)}), "mia: SoVITS of an unknown family .no enc_p.text_embed"),
        (marks(header="06"), "mia: claims SoVITS v2ProPlus .header 06. but has no sv_emb.weight"),
        (marks(header="02"), "mia: claims SoVITS v3 .header 02. but has no cfm tensors"),
        (marks(md5=FAMILIES["v4"].md5s[0]), "mia: claims SoVITS v4 .an official file by its md5."),
    ],
)
def test_what_is_no_family_is_refused_in_one_line(shown: Marks, said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as raised:
        family_of(shown, "mia")
    assert "\n" not in str(raised.value)
