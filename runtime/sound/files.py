"""Sound files whose format is that of their name."""

from collections.abc import Iterable
from pathlib import Path

from runtime.arrays import Samples
from runtime.errors import SettingError
from runtime.files import replaced
from runtime.sound.formats import FORMATS, Encoder, known

USUAL = "wav"  # of a name without suffix: a device, a pipe
OF_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}


def format_of(path: Path | str, asked: str | None = None) -> str:
    """The format that a file of this name is written in.

    Args:
        path: its suffix decides; none means WAV.
        asked: the format, where the caller names it.

    Raises:
        SettingError: a suffix of no format that is known, or of another than `asked`.
        BackendMissing: the format's library is not installed.
    """
    suffix = Path(path).suffix.lower()
    named = OF_SUFFIX.get(suffix)
    if asked and named and named != asked:
        raise SettingError(f"{path}: this is a name for {named}, not for {asked}; choose one")
    if suffix and not named and not asked:
        raise SettingError(
            f"{path}: sound is not written as '{suffix}'; use {', '.join(OF_SUFFIX)},"
            " or name the format"
        )
    name = asked or named or USUAL
    known(name)
    return name


def save(path: Path | str, pieces: Iterable[Samples], rate: int, name: str | None = None) -> None:
    """Write a file that appears whole or not at all, as its sound is made.

    Args:
        path: where.
        pieces: float32 [S] each; joined they are the sound.
        rate: samples per second (Hz).
        name: of the format; None goes by the path's suffix.

    Raises:
        SettingError, BackendMissing: the format; as `format_of` does.
        AudioError: a sample is not finite, or the sound is too long for the format.
        OSError: the file can't be written.
    """
    encoder = Encoder(format_of(path, name), rate, whole=True)
    with replaced(Path(path)) as file:
        for samples in pieces:
            file.write(encoder.feed(samples))
        file.write(encoder.finish())
