"""Draw sounds below one another as grey spectrograms, loud is light, in one PNG."""

import argparse
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from runtime.audio import Audio, read, resample_hq, write_whole
from runtime.cli import option, run

RATE_HZ = 16_000
WINDOW, STEP, FFT = 400, 80, 1024  # samples
GAP = 6  # rows between sounds
QUIETEST_DB, LOUDEST_DB = -30.0, 40.0
Grey = NDArray[np.uint8]


def spectrogram(audio: Audio) -> Grey:
    """Rows of frequency, highest first, 0 to 8 kHz; a column per 5 ms."""
    samples = np.pad(resample_hq(audio.samples, audio.rate, RATE_HZ), WINDOW)
    frames = sliding_window_view(samples, WINDOW)[::STEP] * np.hanning(WINDOW)
    level = 20 * np.log10(np.abs(np.fft.rfft(frames, FFT)) + 1e-6)[:, : FFT // 2 : 2]
    share = (level.T[::-1] - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)
    return np.asarray(255 * np.clip(share, 0, 1), np.uint8)


def stacked(pictures: Sequence[Grey]) -> Grey:
    """One below the other, with light rows between."""
    width = max(one.shape[1] for one in pictures)
    rows = []
    for one in pictures:
        rows += [np.pad(one, ((0, 0), (0, width - one.shape[1]))), np.full((GAP, width), 255)]
    return np.concatenate(rows[:-1]).astype(np.uint8)


def png(picture: Grey) -> bytes:
    """The file of a grey picture, uint8 [height, width]."""
    height, width = picture.shape
    rows = np.pad(picture, ((0, 0), (1, 0))).tobytes()  # each begins with its filter: none

    def part(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows, 9)) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def main(argv: list[str] | None = None) -> None:
    """Read the sounds, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("sounds", type=Path, nargs="+", metavar="WAV", help="first is on top")
    option(parser, "--out", type=Path, required=True, metavar="PNG", help="picture to write")
    args = parser.parse_args(argv)
    write_whole(args.out, png(stacked([spectrogram(read(path)) for path in args.sounds])))


if __name__ == "__main__":
    run(main)
