"""Lets a line of JSON prove that it is whole: its last member is the CRC-32 of all before it.

    {"type":"split","symbol":"AAPL",…,"crc32":"1c291ca3"}

The checksum covers the bytes before `,"crc32"`. `jq` and others see one more member.
"""

from __future__ import annotations

from zlib import crc32

_MARK = b',"crc32":"'
_LENGTH = len(_MARK) + len('01234567"}\n')


def sealed(json_object: bytes) -> bytes:
    """Return a JSON object that is not empty as a line with its checksum."""
    body = json_object[:-1]
    return b'%b%b%08x"}\n' % (body, _MARK, crc32(body))


def unsealed(line: bytes) -> bytes:
    """Return the JSON object that was sealed. Raises `ValueError` where the line is not whole."""
    body = line[:-_LENGTH]
    if line[-_LENGTH:] != b'%b%08x"}\n' % (_MARK, crc32(body)):
        raise ValueError("its checksum does not match")
    return body + b"}"
