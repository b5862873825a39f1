import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CheckpointError
from tests.checkpoint.makers import hostile_pickles, zipped
from workflow_scripts.checkpoint.contents import contents
from workflow_scripts.checkpoint.pickles import load
from workflow_scripts.checkpoint.read import read

KINDS = sorted(hostile_pickles(Path("x")))


@pytest.mark.parametrize("header", [b"PK", b"05"])
@pytest.mark.parametrize("kind", KINDS)
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, kind: str, header: bytes) -> None:
    target = tmp_path / "ran"
    trap = zipped(tmp_path / "trap.pth", hostile_pickles(target)[kind], header=header)
    with pytest.raises(CheckpointError, match=r"trap\.pth: ") as raised:
        read(trap)
    assert not target.exists()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["reduce0", "reduce2", "reduce4", "reduce5", "nested4", "inst"])
def test_what_it_asks_for_is_named(tmp_path: Path, kind: str) -> None:
    trap = zipped(tmp_path / "trap.ckpt", hostile_pickles(tmp_path / "ran")[kind])
    with pytest.raises(CheckpointError, match=r"trap\.ckpt: asks for (posix|os)\.system, not data"):
        read(trap)


def test_the_traps_are_real(tmp_path: Path) -> None:
    for kind in ("reduce4", "global", "inst", "stack_global from the memo", "exec"):
        target = tmp_path / kind.replace(" ", "_")
        pickle.loads(hostile_pickles(target)[kind])
        assert target.exists(), kind


def test_a_name_that_is_allowed_gives_no_way_to_others(tmp_path: Path) -> None:
    trap = zipped(tmp_path / "t.pth", hostile_pickles(tmp_path / "ran")["dotted"])
    with pytest.raises(CheckpointError, match=r"asks for collections\.OrderedDict\.fromkeys"):
        contents(trap)


def test_stand_ins_can_not_be_altered() -> None:
    harm = (
        b"\x80\x02ccollections\nOrderedDict\nN}X\x06\x00\x00\x00updatecutils\nHParams\ns\x86b"
        b"ccollections\nOrderedDict\n)R."
    )
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint's"):
        load(harm, "x")
    whole, _ = load(b"\x80\x02ccollections\nOrderedDict\n)R.", "x")
    assert "update" not in vars(type(whole))


def test_a_pickle_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(CheckpointError, match="memo index"):
        load(b"\x80\x02}r\xff\xff\xff\x7f.", "x")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_one_line(noise: bytes) -> None:
    try:
        load(b"\x80\x02" + noise, "x")
    except CheckpointError as refused:
        assert "\n" not in str(refused)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
def test_a_changed_byte_gives_a_value_or_one_line(place: int, value: int, cut: bool) -> None:
    content = {"weight": {"model.ar_x": 1}, "config": {"model": {"head": [1, 2.5, None, "x"] * 9}}}
    data = bytearray(pickle.dumps(content, 2))
    data[place % len(data)] = value
    try:
        load(bytes(data[: place % len(data)] if cut else data), "x")
    except CheckpointError as refused:
        assert "\n" not in str(refused)
