// The panel of a plan: heading, before / after switch, legend, table of changes, what goes where.
"use strict";

(function (gridbeat) {
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);
  const outside = (code) => code || word("plan.outside");

  gridbeat.buildPlanPanel = function (page) {
    const old = document.getElementById("panel");
    if (old) old.remove();
    document.documentElement.lang = gridbeat.lang === "zh" ? "zh-CN" : "en";
    const data = gridbeat.data;
    document.title = data.title;
    const body = make("div", { class: "panel-body", id: "panel-body" }, modes(page), legend(), table(page), flows(page), notes());
    document.body.prepend(make("aside", { id: "panel", class: "plan-panel", "aria-label": word("panel") }, heading(page), body));
    const box = document.getElementById("map_gridbeat");
    box.setAttribute("aria-label", word("map"));
    box.setAttribute("role", "application");
  };

  function heading(page) {
    const data = gridbeat.data;
    const lines = [word("plan.state." + data.state), word("plan.base", { n: data.generation })];
    if (data.effective) lines.push(word("plan.effective", { time: data.effective }));
    const other = () => { gridbeat.lang = gridbeat.lang === "zh" ? "en" : "zh"; gridbeat.buildPlanPanel(page); page.refresh(); };
    return make("header", {},
      make("div", { class: "heading" }, make("h1", {}, data.title), make("p", { id: "generation" }, lines.join(" · ")),
        data.at ? make("p", { class: "quiet" }, word("at", { time: data.at })) : null),
      make("div", { class: "heading-tools" },
        make("button", { type: "button", id: "language", onclick: other, lang: gridbeat.lang === "zh" ? "en" : "zh-CN" }, word("language"))));
  }

  function modes(page) {
    const one = (mode) => make("label", { class: "mode" },
      make("input", { type: "radio", name: "mode", value: mode, checked: page.mode === mode, onchange: () => page.show(mode) }),
      make("span", {}, word("plan." + mode)));
    return make("fieldset", { class: "modes" }, make("legend", { class: "quiet" }, word("plan.view")), ["before", "both", "after"].map(one),
      make("button", { type: "button", id: "all", onclick: () => page.zoomToAll() }, word("plan.all")));
  }

  function legend() {
    const row = (swatch, key) => make("li", { class: "legend" },
      make("span", { class: "swatch plan-swatch-" + swatch, "aria-hidden": "true" }), make("span", {}, word("plan.legend." + key)));
    const events = gridbeat.data.events;
    return make("section", {}, make("h2", {}, word("legend")), make("ul", { class: "layers plan-legend" },
      row("before", "before"), row("after", "after"), row("piece", "piece"), row("touched", "touched"), row("event", "event")),
      events.total ? make("p", { class: "quiet", id: "moved" }, word("plan.moved", { n: gridbeat.number(events.total), drawn: gridbeat.number(events.places.length) })) : null);
  }

  function figure(name, value) {
    if (value === undefined || value === null) return word("card.unknown");
    return name === "area_m2" ? (value / 1e4).toFixed(2) : gridbeat.number(value);
  }

  /** "12 → 15", or one number where nothing changed; a dash where the grid is not there. */
  function pair(row, name) {
    const side = (figures) => (figures === null ? "–" : figure(name, figures[name]));
    const before = side(row.before), after = side(row.after);
    return before === after ? make("td", { class: "same" }, after) : make("td", {}, before, make("b", {}, " → "), after);
  }

  function table(page) {
    const data = gridbeat.data;
    if (!data.changes.length) return make("section", {}, make("p", { id: "none" }, word("plan.none")));
    const rows = data.changes.flatMap((row) => [
      make("tr", { class: row.note ? "noted" : "" },
        make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => page.chooseGrid(row.code) }, row.code), make("span", {}, row.name === row.code ? "" : row.name)),
        make("td", {}, row.kinds.map((kind) => make("span", { class: "kind kind-" + kind }, word("plan.change." + kind)))),
        data.figures.map((name) => pair(row, name))),
      row.note ? make("tr", {}, make("td", { class: "note", colspan: 2 + data.figures.length }, row.note)) : null]);
    const head = [word("plan.grid"), word("plan.change"), ...data.figures.map((name) => word("plan." + name))];
    return make("section", {}, make("h2", {}, word("plan.table")), make("div", { class: "scroll" }, make("table", { id: "changes" },
      make("thead", {}, make("tr", {}, head.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, rows))));
  }

  function flows(page) {
    const pieces = gridbeat.data.pieces;
    if (!pieces.length) return null;
    const known = pieces.some((f) => f.properties.events !== null);
    const order = pieces.map((f, i) => [f.properties, i]).sort((a, b) => b[0].area_m2 - a[0].area_m2);
    const rows = order.map(([p, i]) => make("tr", {},
      make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => page.choosePiece(i) }, outside(p.from) + " → " + outside(p.to))),
      make("td", {}, figure("area_m2", p.area_m2)), known ? make("td", {}, figure("events", p.events)) : null));
    const head = [word("plan.from") + " → " + word("plan.to"), word("plan.area_m2"), ...(known ? [word("plan.events")] : [])];
    return make("section", {}, make("h2", {}, word("plan.flows")), make("div", { class: "scroll" }, make("table", { id: "flows" },
      make("thead", {}, make("tr", {}, head.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, rows))));
  }

  function notes() {
    const lines = gridbeat.data.notes;
    return lines.length ? make("section", { class: "notes", id: "notes" }, lines.map((line) => make("p", {}, line))) : null;
  }
})(window.gridbeat);
