"""Which encoding a streamed text has: UTF-8 or GB18030, told before the first row is read, never guessed into mojibake."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from gis.errors import FileUnreadable

BLOCK = 1 << 20

#: What people write -> the codec. GB2312 and GBK are parts of GB18030.
CODECS = {
    "utf8": "utf-8-sig", "utf-8": "utf-8-sig", "utf-8-sig": "utf-8-sig",
    "gb18030": "gb18030", "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030",
    "utf-16": "utf-16",
}  # fmt: skip


def encoding_of(file: BinaryIO, declared: str | None = None) -> str:
    """The codec with which every byte of the file can be read; the file is left at its start.

    Without a declaration: a byte-order mark decides, then UTF-8, then GB18030 when the text reads like Chinese. Raises
    FileUnreadable, with the line of the first byte that does not fit, for anything else.
    """
    if declared is not None:
        codec = CODECS.get(declared.lower().replace("_", "-"))
        if codec is None:
            raise FileUnreadable(f"no encoding is called {declared}: use utf-8 or gb18030", place="encoding")
        return _checked(file, codec, declared)
    mark = file.read(2)
    file.seek(0)
    if mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return _checked(file, "utf-16", "UTF-16")
    fault = first_fault(file, "utf-8-sig")
    if fault is None:
        return "utf-8-sig"
    if _reads_like_chinese(file, fault) and first_fault(file, "gb18030") is None:
        return "gb18030"
    raise _unreadable(file, fault, "neither UTF-8 nor GB18030 from end to end", "; save it again as UTF-8")


def first_fault(file: BinaryIO, codec: str) -> int | None:
    """The offset of the first byte that the codec cannot read, None when all can be; memory stays flat."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(codec)()
    offset = held = 0
    try:
        while block := file.read(BLOCK):
            held = len(decoder.getstate()[0])
            decoder.decode(block)
            offset += len(block)
        held = len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return max(offset - held + error.start, 0)
    finally:
        file.seek(0)
    return None


def _checked(file: BinaryIO, codec: str, declared: str) -> str:
    fault = first_fault(file, codec)
    if fault is None:
        return codec
    chinese = codec == "utf-8-sig" and _reads_like_chinese(file, fault)
    hint = "; the bytes look like GB18030: declare that, or save the file as UTF-8" if chinese else ""
    raise _unreadable(file, fault, f"not {declared}", hint)


def _unreadable(file: BinaryIO, fault: int, what: str, hint: str) -> FileUnreadable:
    line = _line_of(file, fault)
    return FileUnreadable(f"line {line}: the text is {what}{hint}", place=f"line {line}", line=line, byte=fault)


def _line_of(file: BinaryIO, offset: int) -> int:
    """The line (1-based, header included) in which a byte lies."""
    file.seek(0)
    line, left = 1, offset
    while left > 0 and (block := file.read(min(BLOCK, left))):
        line += block.count(b"\n")
        left -= len(block)
    file.seek(0)
    return line


def _reads_like_chinese(file: BinaryIO, fault: int) -> bool:
    """Whether the text round the first fault is common Chinese in GB18030, and not damaged UTF-8 or a western code page."""
    before = max(fault - 4096, 0)
    file.seek(before)
    sample = file.read(1 << 16)
    # From the start of the line: the fault may lie in the middle of a character.
    sample = sample[sample.rfind(b"\n", 0, fault - before) + 1 :]
    file.seek(0)
    if b"\n" in sample[:-1]:
        sample = sample[: sample.rindex(b"\n")]  # the end may be half a character; a line's end is none
    as_utf8 = [c for c in sample.decode("utf-8", errors="replace") if ord(c) > 127]
    if as_utf8.count("\ufffd") < 0.2 * len(as_utf8):
        return False  # most of it is good UTF-8: a damaged file, which GB18030 would turn into nonsense
    as_chinese = [c for c in sample.decode("gb18030", errors="replace") if ord(c) > 127]
    return sum(map(_common, as_chinese)) >= 0.9 * len(as_chinese) > 0


def _common(character: str) -> bool:
    """Whether a character belongs to GB 2312, the characters of daily life."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
