"""Ogg pages with one serial number and their checksums made anew.

An encoder draws the serial number at random; with a fixed one the same sound gives the same bytes.
"""

import struct
import zlib

SERIAL = 1
SERIAL_AT, CHECKSUM_AT, SEGMENTS_AT, HEADER_BYTES = 14, 22, 26, 27
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def with_fixed_serial(pages: bytes) -> bytes:
    """The same pages under the serial number 1.

    Args:
        pages: any number of whole Ogg pages.
    """
    made = bytearray(pages)
    at = 0
    while at < len(made):
        segments = made[at + SEGMENTS_AT]
        lengths = made[at + HEADER_BYTES : at + HEADER_BYTES + segments]
        end = at + HEADER_BYTES + segments + sum(lengths)
        struct.pack_into("<I", made, at + SERIAL_AT, SERIAL)
        struct.pack_into("<I", made, at + CHECKSUM_AT, 0)
        struct.pack_into("<I", made, at + CHECKSUM_AT, checksum(bytes(made[at:end])))
        at = end
    return bytes(made)


def checksum(page: bytes) -> int:
    """Ogg's CRC-32 of a page whose checksum field is zero.

    It is zlib's polynomial with the bits of each byte the other way round, from 0, not inverted.
    """
    mirrored = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
