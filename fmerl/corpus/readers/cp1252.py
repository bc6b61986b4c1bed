"""Repair of text that was written as cp1252 and read as something else."""

from __future__ import annotations

import re


def repair_cp1252(text: str) -> str:
    """Put right single cp1252 bytes that were read as latin-1 or escaped by the UTF-8 decoder.

    Only characters U+0080 to U+009F, which no text uses, and escaped bytes are touched.

    Raises:
        UnicodeDecodeError: Such a byte means nothing in cp1252 either (81, 8D, 8F, 90, 9D).
    """
    return re.sub("[\x80-\x9f\udc80-\udcff]", lambda match: bytes([ord(match[0]) & 0xFF]).decode("cp1252"), text)
