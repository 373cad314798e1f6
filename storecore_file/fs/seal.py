"""Lets a file prove that it is whole, beyond what its format does.

A line of JSON: its last member is the CRC-32 of all before it; `jq` and others see one more member.

    {"type":"split","symbol":"AAPL",…,"crc32":"1c291ca3"}

A Parquet file: its pages carry checksums, but its footer (schema, row counts, metadata) and the
headers of its pages do not, and a damaged header may hide the checksum of its page. The CRC-32 of
all other bytes lies in the four before the footer, where no reader looks.
"""

from __future__ import annotations

from zlib import crc32

_MARK = b',"crc32":"'
_CHECKSUM = 4
_LENGTH = len(_MARK) + len('01234567"}\n')


def sealed(json_object: bytes) -> bytes:
    """Return a JSON object that is not empty as a line with its checksum."""
    body = json_object[:-1]
    return b'%b%b%08x"}\n' % (body, _MARK, crc32(body))


def unsealed(line: bytes) -> bytes:
    """Return the JSON object that was sealed. Raises `ValueError` where the line is not whole."""
    if not is_sealed(line):
        raise ValueError("its checksum does not match")
    return line[:-_LENGTH] + b"}"


def is_sealed(line: bytes) -> bool:
    """Tell whether a line is whole."""
    body = line[:-_LENGTH]
    return line[-_LENGTH:] == b'%b%08x"}\n' % (_MARK, crc32(body))


def sealed_parquet(content: bytes) -> bytes:
    """Return a Parquet file with the checksum of its bytes put in before its footer."""
    start = _footer(content)
    data, footer = content[:start], content[start:]
    return b"%b%b%b" % (data, _checksum(data, footer), footer)


def check_parquet(content: bytes) -> None:
    """Raise `ValueError` where a Parquet file is not the one that was sealed."""
    start = _footer(content)
    end = start - _CHECKSUM
    data, footer = memoryview(content)[: max(end, 0)], memoryview(content)[max(start, 0) :]
    if end < 0 or content[end:start] != _checksum(data, footer):
        raise ValueError("its checksum does not match")


def _footer(content: bytes) -> int:
    """Return where the footer begins; its length is in the file's last bytes, before `PAR1`."""
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def _checksum(data: bytes | memoryview, footer: bytes | memoryview) -> bytes:
    return crc32(footer, crc32(data)).to_bytes(_CHECKSUM, "little")
