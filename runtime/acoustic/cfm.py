"""Semantic tokens in, mel frames out of a flow-matching sampler, samples out of a vocoder (v3, v4).

A chunk of mel frames continues the one before it, the first one the reference. Chunks are cut by
their number of frames alone, so that a text is the same sound whole and streamed. Knows nothing of
text or of how tokens came about.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from runtime.acoustic.kind import Arrays, Conditioning
from runtime.acoustic.mel import MelFrames, denormalised, mel_grid
from runtime.acoustic.vocoder import MelVocoder
from runtime.arrays import Float32, Int64, PhoneIds, Samples, Style, Tokens
from runtime.backends import GraphRunner, Repeats
from runtime.contract import MELS, OFFERED_STEPS
from runtime.loop_numbers import MelNumbers

PADDED_LENGTHS = MelNumbers.padded_lengths  # of a run: few, since some back ends compile for each
UNGUIDED = 1e-5  # a guidance up to here is none


@dataclass(frozen=True, eq=False)
class Prompt:
    """Frames that the next chunk continues.

    Attributes:
        mel: float32 [1, 100, P], normalised.
        features: float32 [1, C, P], of the same frames.
    """

    mel: Float32
    features: Float32

    @property
    def frames(self) -> int:
        """P."""
        return int(self.mel.shape[-1])

    def last(self, frames: int) -> "Prompt":
        """At most so many of the last frames."""
        return Prompt(self.mel[..., -frames:], self.features[..., -frames:])


@dataclass(frozen=True)
class CfmGraphs:
    """What makes sound of tokens.

    Attributes:
        features: tokens, phones and style to features.
        condition: features and prompt to what all steps share.
        step: one step of the sampler.
        vocoder: log-mel to samples, in windows.
    """

    features: GraphRunner
    condition: GraphRunner
    step: GraphRunner
    vocoder: MelVocoder


class Cfm:
    """The graphs of one voice; no state of its own."""

    def __init__(self, graphs: CfmGraphs, frames: MelFrames) -> None:
        self._graphs = graphs
        self.frames = frames

    def features(self, tokens: Tokens, phones: PhoneIds, style: Style, speed: float) -> Float32:
        """Conditioning features, float32 [1, C, N], of new tokens, int64 [T]."""
        grid = mel_grid(tokens.size, speed, self.frames)
        (found,) = self._graphs.features.run(
            {
                "tokens": tokens[None],
                "phones": phones[None],
                "style": style,
                "frame_index": grid.index,
                "frame_fraction": grid.fraction,
                "frame_mask": grid.mask,
            }
        )
        return found

    def chunks(
        self, features: Float32, prompt: Prompt, conditioning: Conditioning, guidance: float = 0.0
    ) -> Iterator[Float32]:
        """The normalised mel of an utterance chunk by chunk, float32 [1, 100, n] each.

        Raises:
            Stopped: nobody wants it any more; asked before each step.

        Args:
            features: float32 [1, C, N], of the whole utterance.
            prompt: the reference's, at most `prompt_frames` long.
            conditioning: of the utterance; its noise is drawn by the number of a frame.
            guidance: see `sampled`.
        """
        kept = prompt.frames
        size = self.frames.chunk_frames - kept
        for start in range(0, features.shape[-1], size):
            new = features[..., start : start + size]
            noise = conditioning.noise(start, new.shape[-1], MELS)
            stop = conditioning.refuse_unwanted
            mel = self.sampled(new, prompt, noise, self.steps(conditioning), guidance, stop)
            yield mel
            prompt = Prompt(mel, new).last(kept)

    def steps(self, conditioning: Conditioning) -> int:
        """Steps of the sampler: as the request says, or as the family has it."""
        return conditioning.settings.sample_steps or self.frames.steps

    def sampled(
        self,
        new: Float32,
        prompt: Prompt,
        noise: Float32,
        steps: int,
        guidance: float = 0.0,
        before_step: Callable[[], None] = lambda: None,
    ) -> Float32:
        """The normalised mel of one chunk, float32 [1, 100, n].

        Args:
            new: float32 [1, C, n], features of its frames.
            prompt: what it continues.
            noise: float32 [1, 100, n].
            steps: one of OFFERED_STEPS.
            guidance: how far to go beyond what the condition changes; the reference has 0.
            before_step: called before each step; what it raises ends the run.
        """
        given, frames = prompt.frames, prompt.frames + new.shape[-1]
        behind = self.padded(frames) - frames
        masks = _masks(given, frames, behind)
        features = _padded(np.concatenate([prompt.features, new], -1), 0, behind)
        before = _padded(prompt.mel, 0, new.shape[-1] + behind)
        conditions = [self._condition(features, before, masks)]
        if guidance > UNGUIDED:
            nothing = np.zeros_like(features), np.zeros_like(before)
            conditions.append(self._condition(*nothing, masks))
        mel = _padded(noise, given, behind)
        rows = [np.array([first_row(steps) + step]) for step in range(steps)]
        if len(conditions) == 1:
            mel = self._stepped(mel, conditions[0], masks, rows, before_step)
            return np.ascontiguousarray(mel[..., given:frames])
        for row in rows:
            before_step()
            led, alone = (self._step(mel, condition, masks, row) for condition in conditions)
            # the same as guiding the velocity, since a step is linear in it
            mel = (1 + guidance) * led - guidance * alone
        return np.ascontiguousarray(mel[..., given:frames])

    def padded(self, frames: int) -> int:
        """The length at which a run of so many frames is made."""
        most = self.frames.chunk_frames
        part = -(-most // PADDED_LENGTHS)
        return min(most, -(-frames // part) * part)

    def samples(self, mel: Float32, wanted: range | None = None) -> Samples:
        """Samples, float32 [S], of a normalised mel [1, 100, N], or of some frames of it."""
        return self._graphs.vocoder.samples(denormalised(mel), wanted)

    def _condition(self, features: Float32, prompt: Float32, masks: dict[str, Float32]) -> Float32:
        inputs = {"features": features, "prompt": prompt, "frame_mask": masks["frame_mask"]}
        (condition,) = self._graphs.condition.run(inputs)
        return condition

    def _step(
        self, mel: Float32, condition: Float32, masks: dict[str, Float32], row: Int64
    ) -> Float32:
        inputs: Arrays = {"mel": mel, "condition": condition, **masks, "row": row}
        (after,) = self._graphs.step.run(inputs)
        return after

    def _stepped(
        self,
        mel: Float32,
        condition: Float32,
        masks: dict[str, Float32],
        rows: list[Int64],
        before_step: Callable[[], None],
    ) -> Float32:
        """The mel after all steps; where the back end can, it stays in its place meanwhile."""
        graph = self._graphs.step
        if not isinstance(graph, Repeats):
            for row in rows:
                before_step()
                mel = self._step(mel, condition, masks, row)
            return mel
        inputs: Arrays = {"mel": mel, "condition": condition, **masks, "row": rows[0]}
        repeated = graph.repeated(inputs, {"next_mel": "mel"})
        for row in rows:
            before_step()
            repeated.run({"row": row})
        return repeated.value("mel")


def first_row(steps: int) -> int:
    """The row of the step graph's table at which so many steps begin, one of OFFERED_STEPS."""
    return sum(fewer for fewer in OFFERED_STEPS if fewer < steps)


def _masks(given: int, frames: int, behind: int) -> dict[str, Float32]:
    place = np.arange(frames + behind)
    valid, new = place < frames, (place >= given) & (place < frames)
    return {
        "frame_mask": valid.astype(np.float32)[None, None],
        "new_mask": new.astype(np.float32)[None, None],
    }


def _padded(array: Float32, before: int, behind: int) -> Float32:
    return np.pad(array, ((0, 0), (0, 0), (before, behind)))
