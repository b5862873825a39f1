"""Write the report of a build: the part of one voice, or of all parts the whole.

The page is one file: plots, sounds and style are inside it, so that it opens without a network.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from runtime import records
from runtime.cli import option, run
from runtime.errors import UsageError
from workflow_scripts.files import atomic
from workflow_scripts.report.evidence import gathered
from workflow_scripts.report.job import VoiceFiles
from workflow_scripts.report.page import page, voice_part
from workflow_scripts.report.summary import Summary, VoiceReport, read_voice, summarised

TITLE = "How near these voices are to PyTorch"


def voice_report(files: VoiceFiles) -> VoiceReport:
    """Read, judge and draw everything of a voice.

    Raises:
        ArtifactError, ConfigError: see `evidence.gathered`.
    """
    found = gathered(files)
    bundles = tuple(summarised(files.voice, bundle) for bundle in found.bundles)
    return VoiceReport(files.voice, bundles, voice_part(found))


def summary(parts: Sequence[VoiceReport]) -> Summary:
    """The numbers of all voices."""
    return Summary(tuple(bundle for part in parts for bundle in part.bundles))


def whole_page(parts: Sequence[VoiceReport]) -> str:
    """The page of all voices."""
    made = f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by sovits-foundry."
    return page(TITLE, summary(parts).bundles, [part.html for part in parts], made)


def main(argv: list[str] | None = None) -> None:
    """Write one part, or put parts together."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option(
        parser, "--voice", type=json.loads, metavar="JSON", help="files of a voice: write a part"
    )
    option(parser, "--parts", nargs="+", type=Path, metavar="JSON", help="parts: write the page")
    option(parser, "--page", type=Path, required=True, metavar="HTML", help="page to write")
    option(parser, "--output", type=Path, required=True, metavar="JSON", help="its numbers")
    args = parser.parse_args(argv)
    if (args.voice is None) == (args.parts is None):
        raise UsageError("--voice, --parts: give one of the two")
    if args.voice is not None:
        part = voice_report(records.parse(VoiceFiles, args.voice, "--voice", UsageError))
        parts, numbers = [part], records.text(part)
    else:
        parts = [read_voice(path) for path in args.parts]
        numbers = records.text(summary(parts))
    with atomic(args.page, args.output) as (html, json_file):
        html.write_text(whole_page(parts), "utf-8")
        json_file.write_text(numbers, "utf-8")


if __name__ == "__main__":
    run(main)
