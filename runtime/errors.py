"""The errors that a user can meet, each with its exit code.

FoundryError
  UsageError 2      ConfigError, SettingError
  ArtifactError 3   CheckpointError, GraphError, BundleError
  InputError 4      TextError, AudioError
  MachineError 5    BackendMissing, EngineMismatch, EngineBuildError
  ProofError 6
  Stopped 130

A message is one line: where: what is wrong; what to do. Exit code 1 is a fault of ours, with its
traceback; 130 is an interrupt.
"""

import unicodedata

LONGEST_LINE = 800  # characters of a message; what is longer is cut in its middle


def printable(text: str) -> str:
    """A text that a terminal shows as it is: control characters escaped, long lines cut.

    Line breaks stay; `cli.fail` joins them.
    """
    return "\n".join(_cut("".join(map(_shown, line))) for line in text.split("\n"))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE * 3 // 4]} … {line[-LONGEST_LINE // 4 :]}"


class FoundryError(Exception):
    """Anything that we refuse on purpose; its message is printable, whatever it quotes."""

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class UsageError(FoundryError):
    """The command line, the configuration or a setting is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration of a build is wrong."""


class SettingError(UsageError):
    """A value that steers synthesis is out of its range."""


class ArtifactError(FoundryError):
    """A file that we were given, or made, is not what it should be."""

    exit_code = 3


class CheckpointError(ArtifactError):
    """A checkpoint can't be read, or is not one that we support."""


class GraphError(ArtifactError):
    """A graph does not keep the contract."""


class BundleError(ArtifactError):
    """A bundle is incomplete, altered, or newer than this runtime."""


class InputError(FoundryError):
    """What was given to speak, or to imitate, can't be used."""

    exit_code = 4


class TextError(InputError):
    """Text that can't be spoken."""


class AudioError(InputError):
    """Audio that can't serve as a reference."""


class MachineError(FoundryError):
    """This machine lacks something."""

    exit_code = 5


class BackendMissing(MachineError):  # noqa: N818 - the name says what happened
    """A back end that was asked for is not installed, or fell back."""


class EngineMismatch(MachineError):  # noqa: N818 - the name says what happened
    """An engine was built for another machine."""


class EngineBuildError(MachineError):
    """The engine library could not build an engine here."""


STOPPED = "speech: stopped by its caller"


class Stopped(FoundryError):  # noqa: N818 - no fault: somebody wanted it
    """The caller has stopped the work, so that there is no whole result."""

    exit_code = 130


class ProofError(FoundryError):
    """A measured distance from PyTorch is over its bar."""

    exit_code = 6
