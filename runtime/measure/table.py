"""What a benchmark found, for people: the ceiling first, then what was reached."""

from runtime.measure.reports import BenchReport, Milliseconds, StepMilliseconds, Timings
from runtime.measure.timing import Spread


def table(report: BenchReport) -> str:
    """The report in lines."""
    work = report.work
    busy = f" BUSY (load {report.load_average}): don't go by these figures" * bool(report.busy)
    lines = [
        f"{report.machine.processor}, {work.threads} threads,"
        f" reads {report.bandwidth_gb_per_s:.1f} GB/s;{busy}",
        f"{work.phones} phones, {work.prompt_tokens} prompt tokens, {work.tokens} new"
        f" tokens, {work.rounds} runs each; times faster than {report.baseline}",
    ]
    for name, found in report.candidates.items():
        lines += ["", name, *_step_lines(found), *_part_lines(found), *_sum_lines(found)]
        lines += [*_chunk_lines(found), *_scaling_lines(found), *_crowd_lines(found)]
        lines += _fresh_lines(found)
    return "\n".join([*lines, ""])


def _step_lines(found: Timings) -> list[str]:
    return [
        f"  {f'step at {rows} rows':20} {_row(row)}{_reached(row)}"
        for rows, row in found.step_ms.items()
    ]


def _reached(row: StepMilliseconds) -> str:
    if row.ceiling_ms is None or row.share_of_ceiling is None:
        return ""
    return f"  {100 * row.share_of_ceiling:.0f} % of the ceiling, {row.ceiling_ms:.2f} ms"


def _part_lines(found: Timings) -> list[str]:
    parts = {**found.parts_ms, "total": found.total_ms, "ttfa_warm": found.ttfa_warm_ms}
    return [f"  {part:20} {_row(row)}" for part, row in parts.items()]


def _sum_lines(found: Timings) -> list[str]:
    add_up = "yes" if found.parts_add_up else "NO"
    share = 100 * found.parts_of_total.median
    lines = [
        f"  parts add up to {share:.1f} % of the total (within 5 %: {add_up})",
        f"  rtf {found.rtf:.3f}, {found.tokens_per_s:.0f} tokens/s,"
        f" sampler {found.sampler_ms_per_token:.3f} ms a token,"
        f" step {found.step_growth:.2f} x from fewest to most rows",
    ]
    if found.repeated_ms:
        parts = (f"{part} {ms.median:.1f} ms" for part, ms in found.repeated_ms.items())
        lines.append(f"  where one length comes again and again: {', '.join(parts)}")
    if found.host_share_of_step:
        shares = (f"{100 * share:.1f} %" for share in found.host_share_of_step.values())
        lines.append(f"  sampler and Python take {', '.join(shares)} of the steps above")
    if found.vocoder_vs_onnxruntime is not None:
        lines.append(f"  vocoder beside ONNX Runtime's: {_times(found.vocoder_vs_onnxruntime)}")
    return lines


def _chunk_lines(found: Timings) -> list[str]:
    chunks = found.chunks
    if chunks is None:
        return []
    return [
        f"  {len(chunks.ms)} chunks of {chunks.tokens} tokens: {chunks.median_ms:.2f} ms"
        f" each, from the second on up to {100 * chunks.farthest:.1f} % off",
        f"  beside a fixed vocoder call, which is up to {100 * chunks.farthest_fixed:.1f} % off:"
        f" up to {100 * chunks.farthest_beside_fixed:.1f} % off"
        f" (within 10 %: {'yes' if chunks.constant else 'NO'}),"
        f" the last ten {chunks.growth:.3f} times the first ten",
    ]


def _scaling_lines(found: Timings) -> list[str]:
    if found.scaling is None:
        return []
    by_tokens, by_threads = found.scaling.total_ms_by_tokens, found.scaling.total_ms_by_threads
    lengths = ", ".join(f"{n} tokens {ms.median:.0f} ms" for n, ms in by_tokens.items())
    counts = ", ".join(f"{n} threads {ms.median:.0f} ms" for n, ms in by_threads.items())
    return [f"  total by length: {lengths}", f"  total by threads: {counts}"]


def _crowd_lines(found: Timings) -> list[str]:
    lines = [
        f"  {n} at once: {all_.tokens_per_s.median:.0f} tokens/s {_times(all_.times_tokens)},"
        f" {all_.speech_per_s.median:.2f} s of speech/s {_times(all_.times_speech)}, first sound"
        f" p50 {all_.first_sound_p50_ms:.0f} ms, p95 {all_.first_sound_p95_ms:.0f} ms,"
        f" slowest {all_.slowest_over_fastest:.2f} x the fastest"
        for n, all_ in found.users.items()
    ]
    return lines + [
        f"  a text of {book.seconds:.1f} s, voice for {n}: rtf {book.rtf.median:.3f}"
        f" {_times(book.times_faster)}"
        for n, book in found.audiobook.items()
    ]


def _fresh_lines(found: Timings) -> list[str]:
    lines, new = [], found.fresh
    if new is not None:
        lines.append(
            f"  fresh process: load {new.load_s:.2f} s, first sound {new.ttfa_cold_s:.2f} s,"
            f" memory {_mb(new.rss_bytes)}, at most {_mb(new.rss_peak_bytes)}"
        )
        if new.over_weights_bytes is not None:
            lines.append(
                f"  after its load {_mb(new.rss_loaded_bytes)},"
                f" {_mb(new.over_weights_bytes)} more than its weights"
            )
    if found.disk_bytes is not None:
        lines.append(f"  disk {_mb(found.disk_bytes)}")
    return lines


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.0f} MB"


def _row(row: Milliseconds) -> str:
    quartiles = f"{row.lower:.2f}..{row.upper:.2f}"
    return f"{row.median:9.2f} ms {quartiles:>18} {_times(row.times_faster):>24}"


def _times(times: Spread) -> str:
    return f"{times.median:.2f} x ({times.lower:.2f}..{times.upper:.2f})"
