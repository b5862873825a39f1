"""How well a T2S file speaks by itself: held-out sentences, decoded as the runtime samples.

Without a vocoder: a token's phone is its number divided by 2, so phones that are lost, doubled or
wrong can be counted against the tokens of the same sentence as flite said it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
import torch

from runtime import noise
from runtime.arrays import Int64, Tokens
from runtime.t2s.request import sampled
from runtime.t2s.sampler import Sampling
from training.labels import VOICINGS
from training.t2s_examples import TAIL_TOKENS, Spoken
from workflow_scripts.models.t2s import FEATURE_WIDTH, T2S, KVCache
from workflow_scripts.proof.words.recogniser import edits

LONGEST_RATIO = 4  # of what flite takes: a run this long will not end


@dataclass(frozen=True)
class Decoded:
    """One decoded utterance beside flite's.

    Attributes:
        ended: by EOS.
        wanted, made: tokens of flite's, and of ours.
        phones, wrong: how many there are to say, and how many edits lead to them.
    """

    ended: bool
    wanted: int
    made: int
    phones: int
    wrong: int


def summary(decoded: Sequence[Decoded]) -> dict[str, float]:
    """Shares and ratios of all together."""
    return {
        "utterances": len(decoded),
        "ended_by_eos": sum(one.ended for one in decoded) / len(decoded),
        "phone_error": sum(one.wrong for one in decoded) / sum(one.phones for one in decoded),
        "duration_ratio": sum(one.made for one in decoded) / sum(one.wanted for one in decoded),
        "longest_ratio": max(one.made / one.wanted for one in decoded),
        "shortest_ratio": min(one.made / one.wanted for one in decoded),
    }


def decode(
    model: T2S, before: Spoken, text: Int64, silence: int, free: "Free"
) -> tuple[Tokens, bool]:
    """Tokens of a text after a reference, and whether EOS ended them.

    Args:
        model: the transformer.
        before: the reference.
        text: int64 [X], what to say.
        silence: the token that a reference's tail consists of.
        free: sampling, seed and when to give up.
    """
    phones = torch.from_numpy(np.concatenate([before.phones, text]))[None]
    prompt = np.concatenate([before.encoded, np.full(TAIL_TOKENS, silence)])
    features = torch.zeros(1, FEATURE_WIDTH, phones.shape[1])
    cache, used = KVCache(), np.zeros(model.sizes.vocabulary, np.bool_)
    used[prompt] = True
    choose = sampled(free.sampling, partial(noise.exponentials, free.seed, 0))
    made: list[int] = []
    with torch.no_grad():
        logits, _ = model.decode(
            *model.embed(phones, features, torch.from_numpy(prompt)[None]), cache
        )
        while len(made) < free.most:
            token = choose(logits[0].numpy(), used, len(made))
            if token is None:
                return np.array(made, np.int64), True
            used[token] = True
            made.append(token)
            logits = model.step(token, prompt.size + len(made) - 1, cache)
    return np.array(made, np.int64), False


@dataclass(frozen=True)
class Free:
    """How one utterance is decoded: sampling, seed, and how many tokens at most."""

    sampling: Sampling
    seed: int
    most: int


def evaluated(
    model: T2S,
    spoken: Mapping[str, Sequence[Spoken]],
    silence: int,
    each: int,
    sampling: Sampling | None = None,
) -> list[Decoded]:
    """Let every speaker say some held-out sentences after one of its own.

    Args:
        model: the transformer.
        spoken: speaker → held-out utterances.
        silence: the token of silence.
        each: sentences of each speaker.
        sampling: as the runtime's defaults if None.
    """
    found = []
    for row in spoken.values():
        references = [one for one in row if one.prompt and one.tokens.size >= 75][:4]
        for number, one in enumerate(row[:each]):
            other = [spare for spare in references if spare is not one]
            before = other[number % len(other)]
            free = Free(sampling or Sampling(), number, LONGEST_RATIO * one.tokens.size)
            made, ended = decode(model, before, one.phones, silence, free)
            found.append(compared(made, one.tokens, ended))
    return found


def compared(made: Tokens, wanted: Tokens, ended: bool) -> Decoded:
    """Count what is wrong in tokens, [T] each; lengths of phones do not count."""
    said, due = runs(made), runs(wanted)
    return Decoded(ended, wanted.size, made.size, len(due), edits(said, due))


def runs(tokens: Tokens) -> list[int]:
    """The phone of each run of tokens with one phone."""
    return [phone for phone, _ in groupby((tokens // VOICINGS).tolist())]
