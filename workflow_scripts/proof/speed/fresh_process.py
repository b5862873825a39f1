"""What PyTorch costs a fresh process: time to load, time to the first sound, memory."""

import argparse
import time

from runtime.cli import option, run
from runtime.measure import fresh_process
from workflow_scripts.checkpoint.acoustic_sources import add_sources, sources_of


def main(argv: list[str] | None = None) -> None:
    """Load both checkpoints, sound once, report."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add_sources(parser)
    option(parser, "--threads", type=int, required=True, metavar="N", help="of PyTorch")
    args = parser.parse_args(argv)
    begin = time.perf_counter()
    import torch  # imported here: it is part of what a load costs

    from runtime.measure.workload import FIRST_TOKENS, Replay
    from workflow_scripts.proof.speed.pytorch import load

    torch.set_num_threads(args.threads)
    reference = load(args.gpt, sources_of(args), Replay.of(FIRST_TOKENS))
    load_s, loaded = time.perf_counter() - begin, fresh_process.rss_bytes("VmRSS")
    reference.first_sound()
    fresh_process.report(load_s, loaded)


if __name__ == "__main__":
    run(main)
