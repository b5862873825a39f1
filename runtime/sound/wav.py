"""Samples as they are: raw PCM, and PCM behind a WAV header."""

from runtime.audio import wav_header


class Pcm:
    """Raw little-endian 16-bit samples."""

    def feed(self, pcm: bytes) -> bytes:
        """What these samples become, at once."""
        return pcm

    def finish(self) -> bytes:
        """Nothing is held back."""
        return b""


class WavStream:
    """A WAV file whose end is not known yet: its header states so, with sizes of FFFFFFFF."""

    def __init__(self, rate: int) -> None:
        self._header = wav_header(rate)

    def feed(self, pcm: bytes) -> bytes:
        """The header first, then the samples."""
        header, self._header = self._header, b""
        return header + pcm

    def finish(self) -> bytes:
        """The header, if no sample came."""
        return self.feed(b"")


class WavFile:
    """A WAV file with true sizes; all of it comes at the end."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pcm = bytearray()

    def feed(self, pcm: bytes) -> bytes:
        """Nothing yet: the sizes stand in front."""
        self._pcm += pcm
        return b""

    def finish(self) -> bytes:
        """The whole file.

        Raises:
            AudioError: too long for a WAV file.
        """
        return wav_header(self._rate, len(self._pcm)) + bytes(self._pcm)
