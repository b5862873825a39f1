"""Golden vectors of docs/native.md, for programs in other languages.

python -m tests.native_vectors writes them again; tests compare them with the runtime, and
examples/js with its own.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from runtime.frames import frame_grid, steady_grid
from runtime.noise import exponentials, normals
from runtime.t2s.forecast import Pace
from runtime.t2s.request import sampled
from runtime.t2s.sampler import Sampling

FILE = Path(__file__).parent / "golden/native/vectors.json"
SEEDS = (0, 7, 2**32 + 5, 2**63 - 1)
VOCABULARY = 1025
SETTINGS = (
    {},
    {"top_k": 5, "top_p": 0.9, "temperature": 0.8},
    {"top_k": VOCABULARY, "repetition_penalty": 1.0, "temperature": 1.5},
    {"top_k": 1},
    {"top_p": 0.0},
    {"temperature": 0.0},
    {"top_k": 50, "top_p": 0.3, "repetition_penalty": 0.7},
)
GIVEN = (  # logits, used, settings
    ([2.0, 1.0, 1.0, 0.0, -1.0], [], {"top_k": 2}),  # ties with the second stay
    ([1.0, 3.0, 2.0, 0.0, 9.0], [], {}),  # the end token leads
    ([4.0, 1.0, 1.0, 1.0, 3.5], [0], {"repetition_penalty": 2.0}),  # it leads behind the penalty
    ([-1.0, -1.0, -1.0, -1.0, -3.0], [0, 1], {"repetition_penalty": 1.35}),
    ([0.0, 0.0, 0.0, 0.0, 0.0], [2], {"top_p": 0.4}),  # equal ones by number
)


def vectors() -> dict[str, Any]:
    """All of them."""
    return {
        "exponentials": [
            _exponential_case(seed, sentence, step)
            for seed in SEEDS
            for sentence, step in ((0, 0), (3, 40))
        ],
        "normals": [
            _normal_case(seed, sentence, first, width)
            for seed, sentence, first, width in (
                (0, 0, 0, 4), (7, 2, 999, 5), (SEEDS[-1], 1, 2, 192),
            )
        ],
        "sampler": [
            _drawn_case(seed, step, settings)
            for number, settings in enumerate(SETTINGS)
            for seed, step in ((number, 0), (number, 40))
        ]
        + [_given_case(*case, step) for case in GIVEN for step in (0, 11)],
        "limits": [_limits_case(*case) for case in ((0, 0, 10), (60, 90, 30), (5, 200, 3))],
        "grids": [_grid_case(frames, speed) for frames, speed in ((8, 1.0), (14, 1.3), (9, 0.7))],
    }  # fmt: skip


def _exponential_case(seed: int, sentence: int, step: int) -> dict[str, Any]:
    drawn = exponentials(seed, sentence, step, VOCABULARY)
    place = {"seed": f"{seed}", "sentence": sentence, "step": step, "count": VOCABULARY}
    return place | {"first": _numbers(drawn[:3]), "last": _numbers(drawn[-3:])}


def _normal_case(seed: int, sentence: int, first: int, width: int) -> dict[str, Any]:
    drawn = normals(seed, sentence, first, 2, width)[0]
    place = {"seed": f"{seed}", "sentence": sentence, "first": first, "frames": 2, "width": width}
    return place | {"channels": {f"{i}": _numbers(drawn[i]) for i in {0, 1, width // 2, width - 1}}}


def _drawn_case(seed: int, step: int, settings: dict[str, Any]) -> dict[str, Any]:
    logits = logits_of(seed, step)
    used = sorted({int(i) for i in np.argsort(-logits)[:6:2]} - {VOCABULARY - 1})
    given = {"drawn": {"seed": seed, "frame": step, "width": VOCABULARY}}
    return given | _chosen(logits, used, settings, seed, step)


def _given_case(
    logits: list[float], used: list[int], settings: dict[str, Any], step: int
) -> dict[str, Any]:
    return {"logits": logits} | _chosen(np.array(logits, np.float32), used, settings, 7, step)


def logits_of(seed: int, frame: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Logits [V] that need no file."""
    return np.float32(3) * normals(seed, 0, frame, 1, VOCABULARY)[0, :, 0]


def _chosen(
    logits: np.ndarray[Any, np.dtype[np.float32]],
    used: list[int],
    settings: dict[str, Any],
    seed: int,
    step: int,
) -> dict[str, Any]:
    flags = np.zeros(logits.size, np.bool_)
    flags[used] = True
    whole = Sampling(**settings)
    token = sampled(whole, lambda at, count: exponentials(seed, 0, at, count))(logits, flags, step)
    shown = {name: getattr(whole, name) for name in Sampling.__dataclass_fields__}
    return {"used": used, "settings": shown, "seed": seed, "step": step, "token": token}


def _limits_case(tokens: int, phones: int, piece: int) -> dict[str, Any]:
    most = Pace.of_reference(tokens, phones).most(piece)
    return {
        "reference_tokens": tokens,
        "reference_phones": phones,
        "phones": piece,
        "most_tokens": most,
    }


def _grid_case(frames: int, speed: float) -> dict[str, Any]:
    index, fraction = frame_grid(frames, speed)
    steady = steady_grid(frames, speed, 2, 5)
    return {
        "frames": frames,
        "speed": speed,
        "index": index.tolist(),
        "fraction": _numbers(fraction),
        "steady_from_2_to_5": {
            "index": steady.index.tolist(),
            "fraction": _numbers(steady.fraction),
        },
    }


def _numbers(array: np.ndarray[Any, np.dtype[np.float32]]) -> list[float]:
    """Float32 as the shortest decimals that give them back."""
    return [float(f"{number!s}") for number in array]


def compare(want: Any, found: Any) -> None:
    """Whether two sets are the same: draws up to their last bit, all other numbers exactly."""
    if isinstance(want, dict):
        assert want.keys() == found.keys()
        for key, value in want.items():
            compare(value, found[key])
    elif isinstance(want, list):
        assert len(want) == len(found)
        for one, other in zip(want, found, strict=True):
            compare(one, other)
    elif isinstance(want, float):
        np.testing.assert_allclose(found, want, rtol=3e-7, atol=1e-9)
    else:
        assert want == found


def text() -> str:
    """The file: a line a case."""
    groups = [
        f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]"
        for name, cases in vectors().items()
    ]
    return "{\n" + ",\n".join(groups) + "\n}\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), "utf-8")
