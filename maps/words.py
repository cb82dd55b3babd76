"""What map readers read, in Chinese and English: one table, so no text stands in a page or picture itself."""

from __future__ import annotations

from typing import Any, Final, Literal

Lang = Literal["zh", "en"]

#: key -> (Chinese, English). {names} are filled by `word` here and by the same rule in the browser.
MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "title.grids": ("网格图", "Grid map"),
    "generation": ("第 {n} 版", "Generation {n}"),
    "generation.none": ("尚无发布版本", "Nothing published yet"),
    "at": ("时点 {time}", "As of {time}"),
    "map": ("网格地图：方向键移动，加减键缩放", "Grid map: arrow keys move, plus and minus zoom"),
    "panel": ("图例与查询", "Legend and search"),
    "panel.open": ("打开图例与查询", "Open legend and search"),
    "panel.close": ("收起", "Collapse"),
    "language": ("English", "中文"),
    "zoom.in": ("放大", "Zoom in"),
    "zoom.out": ("缩小", "Zoom out"),
    "zoom.all": ("全图", "Whole area"),
    "search": ("按编码或名称查找网格", "Find a grid by code or name"),
    "search.none": ("没有编码或名称含“{text}”的网格", "No grid has “{text}” in its code or name"),
    "search.more": ("共 {n} 个，只列前 {shown} 个", "{n} found, the first {shown} listed"),
    "search.found": ("找到 {n} 个", "{n} found"),
    "layer.general": ("综合网格", "General grids"),
    "layer.dedicated": ("专属网格", "Dedicated grids"),
    "layer.micro": ("微网格", "Micro-grids"),
    "layer.frontage": ("街面网格", "Frontage grids"),
    "layer.unit": ("单元网格", "Unit grids"),
    "layers": ("图层与图例", "Layers and legend"),
    "layers.note": ("填色只为区分相邻网格，不表示数值。", "Fill only tells neighbours apart; it stands for no value."),
    "layer.labels": ("编码与名称", "Codes and names"),
    "level.district": ("区界", "District borders"),
    "level.subdistrict": ("街道、镇界", "Subdistrict borders"),
    "level.community": ("社区、村界", "Community and village borders"),
    "level.grid": ("网格", "Grids"),
    "level.micro_grid": ("微网格", "Micro-grids"),
    "kind.street": ("道路", "Streets"),
    "kind.water": ("水系", "Water"),
    "kind.building": ("建筑", "Buildings"),
    "kind.field": ("农田绿地", "Fields"),
    "legend": ("图例", "Legend"),
    "legend.badge": ("网格内上报数", "Reports in a grid"),
    "legend.badge.area": ("合计（网格太小，放大后分列）", "Sum where grids are too small for one each"),
    "legend.badge.printed": ("社区、村合计（网格太小）", "Sum of a community (grids too small)"),
    "legend.single": ("上报（放大后逐条显示）", "Report (single ones when zoomed in)"),
    "legend.dot": ("上报", "Report"),
    "legend.edge": ("压在网格边界上的上报", "Report exactly on a border"),
    "legend.unassigned": ("未归属的上报", "Report without a grid"),
    "reports": ("上报情况", "Reports"),
    "reports.total": ("上报总数", "All reports"),
    "reports.assigned": ("已归属网格", "Assigned to a grid"),
    "reports.edge": ("其中压边界", "of these on a border"),
    "reports.unassigned": ("未归属", "Without a grid"),
    "reports.unplaced": ("无坐标，图上不显示", "Without a position, not on the map"),
    "reports.open": ("未结", "Open"),
    "reports.capped": (
        "逐条显示最近的 {drawn} 条（共 {placed} 条有坐标）；所有合计数均为全量准确值。",
        "The newest {drawn} of {placed} placed reports are drawn singly; all counts are exact and complete.",
    ),
    "simplified": (
        "图上边界为显示作了简化（约 {metres} 米），归属判断始终用原始边界。",
        "Borders are simplified for display (about {metres} m); assignment always uses the full borders.",
    ),
    "card": ("所选网格", "Chosen grid"),
    "card.close": ("关闭", "Close"),
    "card.code": ("编码", "Code"),
    "card.layer": ("图层", "Layer"),
    "card.path": ("所属", "Path"),
    "card.area": ("面积", "Area"),
    "card.households": ("户数", "Households"),
    "card.lead": ("网格长", "Grid lead"),
    "card.reports": ("上报", "Reports"),
    "card.over": ("同处的其他网格", "Other grids here"),
    "card.unknown": ("不明", "unknown"),
    "card.zoom": ("缩放至此网格", "Zoom to this grid"),
    "card.mixed": ("{n} 条，未结 {open}，压边界 {edge}", "{n}; open {open}, on a border {edge}"),
    "report": ("上报", "Report"),
    "report.category": ("类别", "Category"),
    "report.channel": ("渠道", "Channel"),
    "report.received": ("收到时间", "Received"),
    "report.status": ("状态", "Status"),
    "report.grid": ("归属网格", "Grid"),
    "report.note": ("内容", "Content"),
    "report.none": ("未归属", "none"),
    "report.method": ("判定", "Method"),
    "status.open": ("未结", "open"),
    "status.closed": ("已结", "closed"),
    "method.inside": ("在网格内", "inside"),
    "method.edge": ("压边界，归编码最小者", "on a border: the lowest code"),
    "method.nearest": ("最近网格", "nearest grid"),
    "method.address": ("按地址", "by address"),
    "method.override": ("人工指定", "set by an officer"),
    "method.none": ("未归属", "no grid"),
    "badge.grid": ("{name}（{code}），上报 {n} 条", "{name} ({code}), {n} reports"),
    "badge.area": ("{name}，上报合计 {n} 条，点击放大", "{name}, {n} reports in all, click to zoom in"),
    "badge.several": ("{grids} 个网格", "{grids} grids"),
    "badge.unassigned": ("未归属的上报 {n} 条，点击放大", "{n} reports without a grid, click to zoom in"),
    "empty": ("还没有载入网格", "No grids are loaded yet"),
    "empty.what": (
        "先检查，再载入网格文件（Shapefile、GeoPackage 或 GeoJSON）：",
        "Check and then load a file of grids (Shapefile, GeoPackage or GeoJSON):",
    ),
    "empty.then": ("载入并发布后刷新本页。", "Then load this page again."),
    "error": ("地图画不出来", "The map could not be drawn"),
    "error.what": (
        "请刷新页面；若仍如此，请把下面这行字告诉管理员：",
        "Load the page again. If it stays so, give this line to your administrator:",
    ),
    "noscript": ("此地图需要启用 JavaScript。", "This map needs JavaScript."),
    "north": ("北", "N"),
    "km": ("公里", "km"),
    "m": ("米", "m"),
    "approval": ("审图号：{number}", "Map approval number: {number}"),
    "made": ("由 Gridbeat 制图 · 坐标 WGS 84", "Drawn by Gridbeat · coordinates WGS 84"),
    "reports.newest": ("只统计并显示最近 {n} 条上报", "Only the newest {n} reports are counted and shown"),
    "docs.title": ("Gridbeat 接口说明", "Gridbeat API"),
}


def table() -> dict[str, dict[str, str]]:
    """All messages by language, as the browser takes them: `{"zh": {key: text}, "en": {key: text}}`."""
    return {lang: {key: texts[i] for key, texts in MESSAGES.items()} for i, lang in enumerate(("zh", "en"))}


def word(key: str, lang: Lang = "zh", **values: Any) -> str:
    """The message `key` in a language with its {names} filled; for a key that is not in the table the key's last part."""
    texts = MESSAGES.get(key)
    if texts is None:
        return key.rpartition(".")[2]
    return texts[0 if lang == "zh" else 1].format(**values)


def both(key: str, **values: Any) -> str:
    """The message in Chinese and, after a blank, in English: for printed legends."""
    return f"{word(key, 'zh', **values)} {word(key, 'en', **values)}"
