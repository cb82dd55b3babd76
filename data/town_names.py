"""Invented names, categories and sentences of the synthetic demo town. No real village, person or road is meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product

DISTRICT = ("320699", "示范区（合成演示数据）")
SUBDISTRICT = ("320699101", "示范镇（合成演示数据）")
TOWN = "示范镇"

#: Villages of the open country, from west to east, and of the centre.
RURAL_VILLAGES = (
    "白鹭村",
    "稻香村",
    "芦汀村",
    "菱塘村",
    "青禾村",
    "云帆村",
    "星桥村",
    "枣园村",
    "望潮村",
    "柳荫村",
    "竹溪村",
    "麦浪村",
)
CENTRE_VILLAGES = ("书院村", "老街村", "米市村", "新圩村")

DIGITS = "零一二三四五六七八九"


def numeral(number: int) -> str:
    """The number 1..99 in Chinese: 7 is 七, 10 十, 12 十二, 44 四十四."""
    tens, ones = divmod(number, 10)
    head = ("" if tens == 1 else DIGITS[tens]) + "十" if tens else ""
    return head + (DIGITS[ones] if ones or not tens else "")


def street_names() -> Iterator[str]:
    """Road names without end, each once."""
    first = ("幸福路", "团结路", "丰收路", "文化路", "朝阳路", "和平路")
    made = (a + b + "路" for a, b in product("安和富康瑞祥兴永", "民泰乐宁盛源平"))
    yield from first
    yield from made
    yield from (f"示范{n}路" for n in count(1))


def lane_names() -> Iterator[str]:
    """Lane names without end, each once."""
    yield from (
        a + b + "巷"
        for a, b in product(("染坊", "米市", "书院", "铁匠", "渡口", "井亭", "灯笼", "豆腐"), ("", "东", "西", "后"))
    )
    yield from (f"新{n}巷" for n in count(1))


def canal_names() -> Iterator[str]:
    """Canal names without end, each once."""
    yield from (
        f"{a}{b}河" for a, b in product(("顺", "通", "长", "新", "济", "丰"), ("田", "港", "圩", "埭", "湾", "塘"))
    )
    yield from (f"示范{n}号河" for n in count(1))


@dataclass(frozen=True)
class Category:
    """One kind of report in the scheme `demo`; where it happens, how often, what people write."""

    code: str
    name: str
    place: str  # house, street, water, field, market
    weight: int
    texts: tuple[str, ...]


#: A small invented scheme. Two codes sound like those of national lists; no conformance to any list is claimed.
SCHEME = "demo"
CATEGORIES = (
    Category(
        "06010", "暴露垃圾", "street", 16, ("{at}有暴露垃圾，请清理", "{at}垃圾桶满溢两天了", "{at}有人倾倒建筑垃圾")
    ),
    Category("09012", "占用消防通道", "street", 9, ("{at}消防通道被私家车堵住", "{at}杂物占用消防通道")),
    Category("D0101", "路面破损", "street", 9, ("{at}路面坑洼，下雨积水", "{at}水泥路断板，骑车危险")),
    Category("D0102", "路灯不亮", "street", 7, ("{at}路灯不亮", "{at}连续三盏路灯熄灭")),
    Category("D0103", "井盖缺损", "street", 4, ("{at}井盖破损，已放警示桩", "{at}窨井盖松动有响声")),
    Category("D0104", "车辆乱停放", "street", 8, ("{at}车辆占道停放", "{at}电动车堆满人行道")),
    Category("D0201", "河面漂浮物", "water", 7, ("{at}河面有漂浮物和水草", "{at}河边有死鱼，气味大")),
    Category("D0202", "排水不畅", "house", 5, ("{at}下水道堵塞，污水外溢", "{at}雨后排水不畅")),
    Category("D0203", "秸秆焚烧", "field", 5, ("{at}发现焚烧秸秆，已劝止", "{at}有烟，疑似烧秸秆")),
    Category("D0301", "占道经营", "market", 7, ("{at}摊位占道经营", "{at}流动摊贩影响通行")),
    Category("D0302", "飞线充电", "house", 6, ("{at}电动车飞线充电", "{at}楼道内给电瓶充电")),
    Category("D0401", "邻里纠纷", "house", 6, ("{at}邻里因排水沟起争执，请调解", "{at}噪声扰民引起纠纷")),
    Category("D0402", "独居老人走访", "house", 7, ("{at}走访独居老人，情况正常", "{at}独居老人需要送药")),
    Category("D0403", "燃气隐患", "house", 4, ("{at}燃气软管老化，建议更换", "{at}闻到燃气味，已通知燃气公司")),
)

#: What the four dedicated grids are called.
DEDICATED = {
    "market": "农贸市场专属网格",
    "campus": "学校医院专属网格",
    "station": "客运站商场专属网格",
    "industry": "工业园专属网格",
}
