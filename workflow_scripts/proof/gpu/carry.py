"""Take wheels to a bare machine with a GPU and no network, in parts below a size.

    python -m workflow_scripts.proof.gpu.carry pack --sm 90 --limit-mib 10 --output .carry WHEEL...
    python -m workflow_scripts.proof.gpu.carry unpack --site SITE .carry/part.*

What a run does not open is left out, and the GPU code of other architectures becomes zeros, which
compress to nothing. Each part carries its number and the digest of the whole.
"""

import argparse
import hashlib
import lzma
import struct
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from runtime.cli import option, run
from runtime.errors import ArtifactError
from workflow_scripts.files import atomic

PART = "part."
MIB = 1 << 20
UNUSED = ("/transformers/", "/quantization/", "/tools/", "/datasets/", "/backend/")
LINKED_IN = "/libonnxruntime.so."  # the Python module holds all of it
UNUSED_FILES = ("libonnxruntime_providers_tensorrt.so", "ThirdPartyNotices.txt", "Privacy.md")
# NVIDIA's container of compiled kernels: a head, then elements with heads of their own
FATBIN, HEAD, ELEMENT = struct.Struct("<IHHQ"), 16, struct.Struct("<HHIQIIHHI")
MAGIC = struct.pack("<I", 0xBA55ED50)
LARGEST_ELEMENT_HEAD = 4096
PRESET = 3  # a higher one takes many times as long for a few per cent


def without_other_code(library: bytes, keep: frozenset[int]) -> bytes:
    """A shared library whose GPU code is zeros but for some architectures; offsets stay.

    Args:
        library: the file.
        keep: compute capabilities, as 90. A container that has none of them is left as it is.
    """
    found = bytearray(library)
    at = found.find(MAGIC)
    while at >= 0:
        _, version, head, size = FATBIN.unpack_from(found, at)
        end = at + head + size
        if version == 1 and head == HEAD and size and end <= len(found):
            elements = list(_elements(found, at + head, end))
            if any(architecture in keep for _, _, architecture in elements):
                for begin, stop, architecture in elements:
                    if architecture not in keep:
                        found[begin:stop] = bytes(stop - begin)
            at = end - 1
        at = found.find(MAGIC, at + 1)
    return bytes(found)


def _elements(code: bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Where the code of each begins and stops, and its architecture."""
    while at + ELEMENT.size <= end:
        _, _, head, size, _, _, _, _, architecture = ELEMENT.unpack_from(code, at)
        stop = at + head + size
        if not ELEMENT.size <= head <= LARGEST_ELEMENT_HEAD or not size or stop > end:
            return
        yield at + head, stop, architecture
        at = stop


def _members(wheels: Iterable[Path], keep: frozenset[int]) -> Iterator[tuple[str, bytes]]:
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as stored:
                for entry in stored.infolist():
                    name = f"/{entry.filename}"
                    if entry.is_dir() or any(part in name for part in (*UNUSED, LINKED_IN)):
                        continue
                    if name.endswith(UNUSED_FILES):
                        continue
                    content = stored.read(entry)
                    if keep and ".so" in Path(name).name:
                        content = without_other_code(content, keep)
                    yield entry.filename, content
        except (OSError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"{wheel}: no wheel ({error}); download it again") from error


def pack(
    wheels: Iterable[Path], keep: frozenset[int], limit_bytes: int, folder: Path
) -> list[Path]:
    """Write the parts, each of at most so many bytes.

    Raises:
        ArtifactError: a wheel can't be read, or the limit is too small for any part.
    """
    payload = BytesIO()
    with (
        lzma.open(payload, "wb", preset=PRESET) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, content in _members(wheels, keep):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, BytesIO(content))
    whole = payload.getvalue()
    head = hashlib.sha256(whole).digest()
    room = limit_bytes - len(head)
    if room <= 0:
        raise ArtifactError(f"--limit-mib: {limit_bytes} bytes hold nothing; give more")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{PART}*"):
        old.unlink()
    parts = []
    for number, begin in enumerate(range(0, len(whole), room)):
        path = folder / f"{PART}{number:03d}"
        with atomic(path) as (made,):
            made.write_bytes(head + whole[begin : begin + room])
        parts.append(path)
    return parts


def unpack(parts: Iterable[Path], site: Path) -> None:
    """Put the wheels of all parts into a folder for PYTHONPATH.

    Raises:
        ArtifactError: a part is missing or another's.
    """
    read = [path.read_bytes() for path in sorted(parts)]
    size = hashlib.sha256().digest_size
    heads, whole = {part[:size] for part in read}, b"".join(part[size:] for part in read)
    if heads != {hashlib.sha256(whole).digest()}:
        raise ArtifactError(f"{site}: the parts are not one whole; bring all of them again")
    with lzma.open(BytesIO(whole)) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        tar.extractall(site, filter="data")


def main(argv: list[str] | None = None) -> None:
    """Pack here, or unpack there."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.proof.gpu.carry",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing, unpacking = verbs.add_parser("pack"), verbs.add_parser("unpack")
    packing.add_argument("wheels", nargs="+", type=Path, help="files of pip download")
    option(packing, "--sm", nargs="+", type=int, default=[], help="architectures to keep, as 90")
    option(packing, "--limit-mib", type=float, required=True, metavar="N", help="of each part")
    option(packing, "--output", type=Path, required=True, metavar="DIR", help="for the parts")
    unpacking.add_argument("parts", nargs="+", type=Path, help="all of them")
    option(unpacking, "--site", type=Path, required=True, metavar="DIR", help="for PYTHONPATH")
    args = parser.parse_args(argv)
    if args.verb == "unpack":
        unpack(args.parts, args.site)
        return
    parts = pack(args.wheels, frozenset(args.sm), int(args.limit_mib * MIB), args.output)
    sizes = [path.stat().st_size / MIB for path in parts]
    sys.stdout.write(
        f"{len(parts)} parts in {args.output}, {sum(sizes):.1f} MiB, the largest {max(sizes):.1f}\n"
    )


if __name__ == "__main__":
    run(main)
