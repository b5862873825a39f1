"""A tone is a light line at its height, and the file is a PNG."""

import struct
import zlib

import numpy as np

from runtime.audio import Audio
from training.spectrogram import GAP, png, spectrogram, stacked


def test_a_tone_is_a_line_at_its_height() -> None:
    tone = np.sin(2 * np.pi * 2_000 * np.arange(16_000) / 16_000).astype(np.float32)
    picture = spectrogram(Audio(tone, 16_000))
    height = picture[:, 100].argmax() / len(picture)
    assert abs(height - 0.75) < 0.01  # from the top, of 8 kHz
    assert picture[: len(picture) // 2, 100].max() == 0


def test_pictures_stand_below_one_another() -> None:
    one, other = np.zeros((4, 3), np.uint8), np.ones((2, 5), np.uint8)
    both = stacked([one, other])
    assert both.shape == (6 + GAP, 5)
    assert (both[4 : 4 + GAP] == 255).all()


def test_the_file_holds_every_row() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    file = png(picture)
    assert file.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", file[16:24]) == (4, 3)
    begin = file.index(b"IDAT") + 4
    (size,) = struct.unpack(">I", file[begin - 8 : begin - 4])
    rows = np.frombuffer(zlib.decompress(file[begin : begin + size]), np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(rows, np.pad(picture, ((0, 0), (1, 0))))
