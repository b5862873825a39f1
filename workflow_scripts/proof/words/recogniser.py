"""Transcribe speech: pocketsphinx with its own English model, over a small list of words.

The list is the same for everything that is compared, so that no side is helped.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from runtime.audio import Audio, resample_hq
from runtime.errors import BackendMissing

RATE_HZ = 16_000
MODULE = "pocketsphinx"


def words_of(text: str) -> list[str]:
    """Words in lower case, without marks."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower().replace("’", "'"))


def edits(found: Sequence[Any], wanted: Sequence[Any]) -> int:
    """Fewest insertions, deletions and substitutions that lead from one row to the other."""
    row = list(range(len(wanted) + 1))
    for i, one in enumerate(found, 1):
        above, row = row, [i]
        for j, other in enumerate(wanted):
            row.append(min(above[j] + (one != other), above[j + 1] + 1, row[j] + 1))
    return row[-1]


class Recogniser:
    """Finds words of one list.

    Attributes:
        known: the words that the model's dictionary has.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Load the model.

        Args:
            words: in lower case; those that the dictionary lacks are never found.

        Raises:
            BackendMissing: pocketsphinx is not installed.
        """
        if find_spec(MODULE) is None:
            raise BackendMissing(
                f"{MODULE}: it is not installed; pip install '.[words]' in the checkout"
            )
        import pocketsphinx

        model = Path(pocketsphinx.get_model_path()) / "en-us"
        wanted = frozenset(words)
        with TemporaryDirectory() as folder:
            small = Path(folder) / "words.dict"
            lines = list(_readings(model / "cmudict-en-us.dict", wanted))
            small.write_text("".join(lines), "utf-8")
            self._decoder = pocketsphinx.Decoder(
                hmm=str(model / "en-us"),
                lm=str(model / "en-us.lm.bin"),
                dict=str(small),
                samprate=RATE_HZ,
                cmn="batch",  # of the utterance alone: earlier utterances change nothing
                loglevel="FATAL",
            )
        self.known = frozenset(_word(line) for line in lines)

    def transcribe(self, audio: Audio) -> list[str]:
        """The words of an utterance, in order."""
        samples = resample_hq(audio.samples, audio.rate, RATE_HZ)
        # a bit of noise: of digital silence no logarithm can be taken
        hiss = np.random.default_rng(0).standard_normal(samples.size) / 32768
        pcm = Audio(np.asarray(samples + hiss, np.float32), RATE_HZ).pcm
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return best.hypstr.split() if best else []


def _readings(dictionary: Path, words: frozenset[str]) -> Iterator[str]:
    """Lines of the dictionary about these words, other readings included."""
    with dictionary.open(encoding="utf-8") as file:
        for line in file:
            if _word(line) in words:
                yield line


def _word(line: str) -> str:
    return line.split(maxsplit=1)[0].split("(")[0]
