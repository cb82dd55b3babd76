"""Which encoding a text is in, found by trying: UTF-8 is so strict that what decodes is UTF-8, else GB18030, else it is refused.

Mojibake is never stored: text that was read as bytes (ISO-8859-1 keeps every byte) is decoded here or the file is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gis.errors import FileUnreadable

BYTES: Final = "ISO-8859-1"  # read with this, every byte is one character and nothing is lost
_XML_ENCODING = re.compile(rb"""^(<\?xml[^>]*encoding=["'])[^"']+""")
_HAN: Final = ("\u4e00", "\u9fff")
#: DBF language drivers that name a code page of their own (0x00 and 0x57 mean "unknown" in practice).
_DRIVERS: Final = {
    0x4D: "gb18030",
    0x7A: "gb18030",
    0x4F: "big5",
    0x78: "big5",
    0x13: "cp932",
    0x7B: "cp932",
    0x03: "cp1252",
}


def utf8_bytes(path: Path) -> tuple[bytes, str | None]:
    """A text file's bytes in UTF-8 and, when it was written otherwise, a note; raises FileUnreadable where neither fits."""
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _declared_utf8(raw.decode("utf-16").encode()), "encoding: UTF-16"
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        codecs.utf_8_decode(raw, "strict", True)
    except UnicodeDecodeError:
        pass
    else:
        return raw, None
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError as error:
        raise FileUnreadable(
            f"{path.name} is neither UTF-8 nor GB18030 (byte {error.start}); save it as UTF-8", place=path.name
        ) from error
    return _declared_utf8(text.encode()), "encoding: GB18030 (the bytes are not UTF-8)"


def _declared_utf8(raw: bytes) -> bytes:
    return _XML_ENCODING.sub(rb"\1UTF-8", raw)


def encoding_of(texts: Iterable[str], declared: str | None, place: str) -> tuple[str, str | None]:
    """The encoding of texts that were read as bytes (see BYTES), and a note where it is not the declared one.

    UTF-8 wins whenever all texts decode and one is beyond two bytes a character; then what was declared, if it decodes and
    the declaration is specific; then GB18030. Raises FileUnreadable where nothing fits.
    """
    raw = [text.encode(BYTES) for text in texts if not text.isascii()]
    wanted = _codec(declared)
    if not raw:
        return "utf-8", None
    if _fits(raw, "utf-8") and (wanted in {None, "utf-8"} or any(_wide(piece) for piece in raw)):
        return "utf-8", None if wanted == "utf-8" else f"encoding: UTF-8 ({_said(declared)})"
    if wanted not in {None, "utf-8"} and _fits(raw, wanted or "") and not _rather_chinese(raw, wanted or ""):
        return wanted or "", f"encoding: {declared}"
    if _fits(raw, "gb18030"):
        same = wanted == "gb18030"
        return (
            "gb18030",
            f"encoding: {declared}" if same else f"encoding: GB18030 ({_said(declared)}, but the bytes are GB18030)",
        )
    raise FileUnreadable(
        f"{place}: the text is neither UTF-8 nor GB18030 ({_said(declared)}); save it as UTF-8", place=place
    )


def decoded(text: str, encoding: str) -> str:
    """A text that was read as bytes, decoded; a character that a fixed-width field cut off at the end is dropped."""
    if text.isascii():
        return text
    return codecs.getincrementaldecoder(encoding)("strict").decode(text.encode(BYTES), final=False)


def declared_by(shapefile: Path) -> str | None:
    """The encoding a Shapefile declares: its .cpg file, else the language driver of its .dbf, else None."""
    for suffix in (".cpg", ".CPG"):
        cpg = shapefile.with_suffix(suffix)
        if cpg.exists():
            return cpg.read_text("ascii", errors="ignore").strip() or None
    dbf = shapefile.with_suffix(".dbf")
    if not dbf.exists():
        return None
    with dbf.open("rb") as file:
        head = file.read(30)
    return _DRIVERS.get(head[29]) if len(head) == 30 else None


def _codec(declared: str | None) -> str | None:
    if not declared:
        return None
    name = declared.strip().lower()
    name = {"936": "gb18030", "cp936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030", "65001": "utf-8"}.get(
        name, name
    )
    name = f"cp{name}" if name.isdigit() else name
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _fits(raw: list[bytes], encoding: str) -> bool:
    try:
        for piece in raw:
            codecs.getincrementaldecoder(encoding)("strict").decode(piece, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _wide(piece: bytes) -> bool:
    return any(byte >= 0xE0 for byte in piece)


def _rather_chinese(raw: list[bytes], wanted: str) -> bool:
    """True where a declared Latin code page would turn Chinese into accents: every run of high bytes is whole Han characters."""
    if not wanted.startswith(("iso8859", "cp125", "latin")):
        return False
    runs = [run for piece in raw for run in re.findall(rb"[\x80-\xff]+", piece)]
    if any(len(run) % 2 for run in runs) or not _fits(raw, "gb18030"):
        return False
    letters = "".join(run.decode("gb18030", errors="ignore") for run in runs)
    return bool(letters) and sum(_HAN[0] <= letter <= _HAN[1] for letter in letters) >= 0.8 * len(letters)


def _said(declared: str | None) -> str:
    return f"the file says {declared}" if declared else "the file does not say"
