"""What has to exist, from a configuration in a dictionary."""

from dataclasses import dataclass, field, replace

import pytest

from runtime.contract import GRAPHS
from workflow_scripts.plan import T2S_GRAPHS, Plan, planned


@dataclass(frozen=True)
class Said:
    """What a voice's files say."""

    family: str
    bases: tuple[str, ...]
    kind: str = "vits"
    acoustic: dict = field(default_factory=dict)


PRO, PLAIN = Said("v2Pro", ("hubert", "speaker")), Said("v2", ("hubert",))
V3 = Said("v3", ("hubert", "bigvgan"), "cfm", {"vocoder": "bigvgan"})
V4 = Said("v4", ("hubert", "vocoder_v4"), "cfm", {"vocoder": "vocoder_v4"})
SHARED = {
    "ssl": "hubert",
    "bert": "roberta",
    "sv": "eres.ckpt",
    "bigvgan": "bigvgan",
    "vocoder_v4": "vocoder.pth",
    "g2pw": "g2pw",
}


def voice(name: str) -> dict:
    reference = {"audio": f"{name}.wav", "text": "Hello.", "lang": "en"}
    paths = {"gpt": f"{name}.ckpt", "sovits": f"{name}.pth", "lexicons": {"ja": f"{name}.txt"}}
    return {"name": name, "base": None, "reference": reference, **paths}


def plan_of(facts: dict[str, Said], **changes: object) -> Plan:
    config = {
        "voices": [voice(name) for name in facts],
        "shared": SHARED,
        "max_len": [1000],
        "precisions": ["fp32", "fp16"],
        "mixed_precision": {},
        "reduction": {},
        "bars": {"fp32": {"audio_snr_db": 60.0}, "fp16": {"audio_snr_db": 40.0}},
        "bench": {"tokens": 100, "rounds": 15, "threads": 2},
    }
    return planned(config | changes, facts, {"fp32": "fp32", "fp16": "fp16"})


def member_names(plan: Plan, name: str, precision: str) -> list[str]:
    return [str(member) for member in plan.members(name, precision)]


def test_a_bundle_holds_the_bases_that_its_family_uses() -> None:
    plan = plan_of({"pro": PRO, "plain": PLAIN})
    assert "fp16/shared/speaker/speaker" in member_names(plan, "pro", "fp16")
    assert "fp16/shared/speaker/speaker" not in member_names(plan, "plain", "fp16")
    assert "fp16/shared/roberta/roberta" in member_names(plan, "plain", "fp16")


def test_the_speaker_base_is_not_built_for_voices_without_it() -> None:
    assert "speaker" not in plan_of({"plain": PLAIN}).bases


def test_without_text_features_neither_base_nor_vocabulary_is_built() -> None:
    plan = plan_of(
        {"plain": PLAIN}, shared={"ssl": "hubert"} | dict.fromkeys(set(SHARED) - {"ssl"})
    )
    assert plan.units == ["shared/hubert", "voices/plain"]
    assert plan.table_files == ["artifacts/tables/voices/plain/t2s_tables.npz"]


def test_a_graph_keeps_the_precision_that_mixed_precision_gives_it() -> None:
    plan = plan_of({"plain": PLAIN}, mixed_precision={"fp16": {"prior": "fp32"}})
    names = member_names(plan, "plain", "fp16")
    assert "fp32/voices/plain/prior" in names
    assert "fp16/voices/plain/vocoder" in names
    assert not any(path.endswith("fp16/voices/plain/prior.onnx") for path in plan.variant_files)


def test_a_precision_that_only_mixed_precision_names_is_built_for_its_graph_alone() -> None:
    mixed = {"fp16": {"roberta": "int8"}}
    plan = plan_of({"plain": PLAIN}, mixed_precision=mixed)
    built = [path for path in plan.variant_files if "/int8/" in path]
    assert built == [
        f"artifacts/graphs/int8/shared/roberta/roberta.{end}" for end in ("onnx", "json")
    ]
    assert plan.stored_precisions == ["fp32", "fp16", "int8"]


def test_fp32_graphs_are_named_even_when_no_bundle_takes_them() -> None:
    plan = plan_of({"plain": PLAIN}, precisions=["fp16"])
    assert "artifacts/graphs/fp32/voices/plain/prior.onnx" in plan.graph_files


def test_length_and_precision_multiply_bundles_but_length_no_graph() -> None:
    one, two = plan_of({"plain": PLAIN}), plan_of({"plain": PLAIN}, max_len=[500, 1000])
    assert len(two.bundle_files) == 2 * len(one.bundle_files) == 4
    assert (two.graph_files, two.variant_files) == (one.graph_files, one.variant_files)


def test_shared_graphs_are_built_once_for_all_voices() -> None:
    plan = plan_of({"one": PLAIN, "two": PLAIN})
    assert len(set(plan.graph_files)) == len(plan.graph_files)
    assert sum("shared/hubert/" in path for path in plan.graph_files) == 2  # graph and record


def test_every_graph_of_the_contract_has_one_origin() -> None:
    plan = plan_of({"pro": PRO, "three": V3, "four": V4})
    assert sorted([*plan.bases, *plan.acoustic_graphs, *T2S_GRAPHS]) == sorted(GRAPHS)


def test_a_voice_of_flow_matching_takes_its_vocoder_and_the_base_of_its_lora() -> None:
    lora = voice("lora") | {"base": "s2Gv4.pth"}
    plan = plan_of({"lora": V4}, voices=[lora])
    names = member_names(plan, "lora", "fp16")
    assert "fp16/shared/vocoder_v4/vocoder_v4" in names
    assert "fp16/voices/lora/cfm_step" in names
    assert not any(name.endswith(("bigvgan", "prior", "speaker")) for name in names)
    assert plan.voice("lora").acoustic_files == ["lora.pth", "s2Gv4.pth"]
    options = plan.chain_options("lora")
    for option, path in (("--base", "s2Gv4.pth"), ("--vocoder-v4", "vocoder.pth")):
        assert options[options.index(option) + 1] == path
    assert plan.timing_sources("lora") == {"base": "s2Gv4.pth", "vocoder": "vocoder.pth"}
    assert plan_of({"pro": PRO}).timing_sources("pro") == {}


def test_a_voice_named_like_a_base_or_folder_stays_apart() -> None:
    plan = plan_of({"hubert": PLAIN, "shared": PLAIN, "chain": PLAIN})
    files = [*plan.graph_files, *plan.answer_files, *plan.table_files, *plan.parity_files]
    assert len(set(files)) == len(files)


def test_options_for_scripts_name_every_source_member_and_table() -> None:
    plan = plan_of({"pro": PRO})
    assert plan.chain_options("pro") == [
        *("--gpt", "pro.ckpt"),
        *("--sovits", "pro.pth"),
        *("--reference-audio", "pro.wav"),
        *("--ssl", "hubert"),
        *("--sv", "eres.ckpt"),
    ]
    assert plan.member_options("pro", "fp16")[:4] == [
        *("--member", "hubert", "fp16"),
        "artifacts/graphs/fp16/shared/hubert/hubert.onnx",
    ]
    named = dict(item.split("=", 1) for item in plan.named_files("pro", "fp16"))
    of_pro = {name for name, graph in GRAPHS.items() if not graph.kinds or "vits" in graph.kinds}
    assert set(named) == {*of_pro, "t2s_tables", "vocabulary"}


def test_every_bundle_is_timed_as_the_configuration_says() -> None:
    plan = plan_of({"plain": PLAIN}, bench={"tokens": 30, "rounds": 3, "threads": 1})
    assert plan.bench_files == [f"artifacts/bench/plain/1000/{p}.json" for p in ("fp32", "fp16")]
    assert plan.bench.options == ["--tokens", "30", "--rounds", "3", "--threads", "1"]


def test_a_reduction_reaches_its_graph_at_its_precision_and_the_manifest() -> None:
    kept = {"block": 32, "keep_int8": ["h.layers.0.*", "h.layers.1.*"]}
    plan = plan_of({"plain": PLAIN}, reduction={"fp16": {"t2s_decoder": kept}})
    assert plan.reduction_options("fp16", "t2s_decoder") == [
        *("--block", "32", "--keep-int8", "h.layers.0.*", "h.layers.1.*")
    ]
    assert plan.reduction_options("fp16", "prior") == []
    assert plan.reduction_options("fp32", "t2s_decoder") == []
    assert plan.options(plan.voices[0].name, "fp16")["reduction"] == {"t2s_decoder": kept}


def test_what_text_is_read_with_is_a_source_of_the_bundle_and_not_of_the_chain() -> None:
    plan = plan_of({"pro": PRO})
    assert plan.reading_options("pro") == ["--lexicon", "ja", "pro.txt", "--g2pw", "g2pw"]
    own = {"bert", "lexicon-ja", "g2pw"}
    assert plan.sources("pro").keys() - plan.chain_sources("pro").keys() == own


@pytest.mark.parametrize("changed", ["voices", "lengths", "precisions"])
def test_nothing_is_asked_for_where_there_is_nothing(changed: str) -> None:
    plan = replace(plan_of({"plain": PLAIN}), **{changed: ()})
    assert plan.bundle_files == []
    assert plan.variant_files == []
