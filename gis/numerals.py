"""Numbers as people write them in addresses: Chinese numerals before a counting word become digits, names keep theirs."""

from __future__ import annotations

import re

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2, "壹": 1, "贰": 2, "叁": 3}
_DIGITS |= {"肆": 4, "伍": 5, "陆": 6, "柒": 7, "捌": 8, "玖": 9} | {str(i): i for i in range(10)}
_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_NUMERAL = "".join(_DIGITS) + "".join(_TENS)

#: A numeral is a number, not a part of a name, when one of these follows: 四十四组, 一百二十三号, 三六0弄; but not 一号线.
_COUNTED = re.compile(
    rf"(?<!第)第?([{_NUMERAL}]*[零一二三四五六七八九〇○两壹贰叁肆伍陆柒捌玖十拾百佰千仟][{_NUMERAL}]*)"
    r"(?=号(?!线|路|桥|河|港|院|公路)|弄|支弄|(?:村民|居民|生产)?小?[组队](?!部)|室|楼(?!镇|村)|层|幢|栋|单元|米|网格)"
)
_ORDINAL = re.compile(r"第(?=\d+(?:号|弄|(?:村民|居民|生产)?小?[组队]|网格))")


def number_of(numeral: str) -> int | None:
    """The number a numeral says: 四十四 44, 一百二十三 123, 一百零五 105, 二〇五 205, 三六0 360; None when it says none."""
    if not numeral or any(c not in _DIGITS and c not in _TENS for c in numeral):
        return None
    if not any(c in _TENS for c in numeral):
        return int("".join(str(_DIGITS[c]) for c in numeral))
    total, ones = 0, 0
    for c in numeral:
        if c in _DIGITS:
            ones = ones * 10 + _DIGITS[c]
        else:
            total += (ones or 1) * _TENS[c]
            ones = 0
    return total + ones


def in_digits(text: str) -> str:
    """The text with every counted numeral in digits: 四十四组 and 第44组 both become 44组; names such as 四平路 stay."""
    return _ORDINAL.sub("", _COUNTED.sub(lambda found: str(number_of(found[1])), text))
