// The panel: heading, search, counts, layers with their legend, and the card of what was chosen.
"use strict";

(function (gridbeat) {
  const LISTED = 12;
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);
  const number = (value) => gridbeat.number(value);

  gridbeat.buildPanel = function (page) {
    const old = document.getElementById("panel");
    const closed = old ? old.classList.contains("closed") : page.narrow();
    if (old) old.remove();
    document.documentElement.lang = gridbeat.lang === "zh" ? "zh-CN" : "en";
    document.title = gridbeat.data.title || word("title.grids");
    const body = make("div", { class: "panel-body", id: "panel-body" },
      gridbeat.searchBox(page), counts(page), layers(page), notes());
    const panel = make("aside", { id: "panel", class: closed ? "closed" : "", "aria-label": word("panel") }, gridbeat.panelHeading(page, "title.grids"), body);
    document.body.prepend(panel);
    const box = document.getElementById("map_gridbeat");
    box.setAttribute("aria-label", word("map"));
    box.setAttribute("role", "application");
  };

  /** Title (the view's own, or that of `key`), generation, instant, language and, on a phone, the switch that opens the panel. */
  gridbeat.panelHeading = function (page, key) {
    const data = gridbeat.data;
    const generation = data.generation ? word("generation", { n: data.generation }) : word("generation.none");
    const when = data.at ? " · " + data.at : "";
    return make("header", {},
      make("div", { class: "heading" },
        make("h1", {}, data.title || word(key)),
        make("p", { id: "generation" }, generation + when)),
      make("div", { class: "heading-tools" },
        make("button", { type: "button", id: "language", onclick: page.switchLanguage, lang: gridbeat.lang === "zh" ? "en" : "zh-CN" }, word("language")),
        make("button", {
          type: "button", id: "toggle", "aria-controls": "panel-body",
          onclick: () => { document.getElementById("panel").classList.toggle("closed"); labelToggle(); },
        }, "")));
  };

  function labelToggle() {
    const closed = document.getElementById("panel").classList.contains("closed");
    const toggle = document.getElementById("toggle");
    toggle.textContent = closed ? "≡" : "×";
    toggle.setAttribute("aria-expanded", String(!closed));
    toggle.setAttribute("aria-label", word(closed ? "panel.open" : "panel.close"));
  }
  gridbeat.labelToggle = labelToggle;

  /** A field that finds grids by code or name; the page chooses and shows what is picked. */
  gridbeat.searchBox = function (page) {
    const results = make("ul", { id: "results" });
    const status = make("p", { id: "search-status", class: "quiet", role: "status", "aria-live": "polite" });
    const input = make("input", {
      type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: word("search"),
      "aria-label": word("search"), "aria-controls": "results",
    });
    const pick = (feature) => { page.choose(feature); page.zoomTo(feature); };
    const list = () => {
      const text = input.value.trim();
      const found = text ? gridbeat.findGrids(text) : [];
      results.replaceChildren(...found.slice(0, LISTED).map((f) => make("li", {},
        make("button", { type: "button", onclick: () => pick(f) },
          make("span", { class: "name" }, f.properties.name), make("span", { class: "code" }, f.properties.code)))));
      status.textContent = !text ? "" : !found.length ? word("search.none", { text })
        : found.length > LISTED ? word("search.more", { n: number(found.length), shown: LISTED })
        : word("search.found", { n: found.length });
    };
    input.addEventListener("input", list);
    input.addEventListener("keydown", (event) => {
      const first = results.querySelector("button");
      if (event.key === "Enter" && first) first.click();
      if (event.key === "ArrowDown" && first) { event.preventDefault(); first.focus(); }
      if (event.key === "Escape") { input.value = ""; list(); }
    });
    results.addEventListener("keydown", (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = document.activeElement.closest("li")[step];
      (next ? next.querySelector("button") : input).focus();
    });
    return make("section", { class: "search" }, input, status, results);
  };

  /** Grids whose code or name has the text; exact and starting codes first. */
  gridbeat.findGrids = function (text) {
    const wanted = text.toLowerCase();
    const rank = (p) => {
      const code = p.code.toLowerCase(), name = p.name.toLowerCase();
      if (code === wanted || name === wanted) return 0;
      if (name.startsWith(wanted)) return 1;
      if (code.startsWith(wanted) || code.endsWith(wanted)) return 2;
      return name.includes(wanted) || code.includes(wanted) ? 3 : 9;
    };
    return gridbeat.data.grids.features.map((f) => [rank(f.properties), f])
      .filter(([r]) => r < 9).sort((a, b) => a[0] - b[0]).map(([, f]) => f);
  };

  function counts(page) {
    const t = gridbeat.data.totals;
    if (!t.total) return null;
    const row = (id, key, value, kind) => [
      make("dt", { class: kind || "" }, word(key)), make("dd", { id: "count-" + id, class: kind || "" }, number(value))];
    const unassigned = make("button", { type: "button", class: "link", onclick: page.zoomToUnassigned }, number(t.unassigned));
    return make("section", {}, make("h2", {}, word("reports")), make("dl", { class: "counts" },
      row("total", "reports.total", t.total), row("open", "reports.open", t.open),
      row("assigned", "reports.assigned", t.assigned), row("edge", "reports.edge", t.edge, "sub"),
      make("dt", { class: "alarm" }, word("reports.unassigned")),
      make("dd", { id: "count-unassigned", class: "alarm" }, t.unassigned ? unassigned : "0"),
      t.unplaced ? row("unplaced", "reports.unplaced", t.unplaced, "sub") : null));
  }

  function layers(page) {
    const data = gridbeat.data;
    const check = (key, text, swatch, extra) => make("li", {},
      make("label", {}, make("input", {
        type: "checkbox", "data-show": key, checked: page.isShown(key),
        onchange: (event) => page.show(key, event.target.checked),
      }), make("span", { class: "swatch swatch-" + swatch, "aria-hidden": "true" }, extra || null), make("span", {}, text)));
    const count = (layer) => data.grids.features.filter((f) => f.properties.layer === layer).length;
    const levels = [...new Set(data.outlines.features.map((f) => f.properties.level))];
    const kinds = [...new Set(data.context.map((f) => f.properties.kind))];
    const legend = (swatch, key, extra) => make("li", { class: "legend" },
      make("span", { class: "swatch swatch-" + swatch, "aria-hidden": "true" }, extra || null), make("span", {}, word(key)));
    return make("section", {}, make("h2", {}, word("layers")), make("ul", { class: "layers" },
      data.layers.map((layer) => check("layer." + layer, word("layer." + layer) + " " + number(count(layer)), gridbeat.layerKind(layer))),
      levels.map((level) => check("level." + level, word("level." + level), level)),
      kinds.map((kind) => check("kind." + kind, word("kind." + kind), kind)),
      check("labels", word("layer.labels"), "text", "001"),
      data.totals.total ? [check("reports", word("legend.badge"), "badge", "12"),
        legend("sum", "legend.badge.area", "81"), legend("single", "legend.single"),
        legend("edge", "legend.edge"), legend("unassigned", "legend.unassigned")] : []),
      make("p", { class: "quiet" }, word("layers.note")));
  }

  function notes() {
    const data = gridbeat.data;
    const drawn = data.reports.lon.length;
    const lines = [...data.notes];
    if (drawn < data.totals.placed) lines.push(word("reports.capped", { drawn: number(drawn), placed: number(data.totals.placed) }));
    if (data.simplified) lines.push(word("simplified", { metres: data.simplified }));
    if (data.basemap) lines.push(data.basemap.attribution, word("approval", { number: data.basemap.approval }));
    return lines.length ? make("section", { class: "notes", id: "notes" }, lines.map((line) => make("p", {}, line))) : null;
  }

  gridbeat.facts = (rows) => make("dl", { class: "facts" }, rows.map(([key, value]) => [make("dt", {}, word(key)), make("dd", {}, value)]));

  /** The card of what was chosen, in place of any other; `label` is the key of what it is. */
  gridbeat.showCard = function (page, title, label, ...content) {
    gridbeat.closeCard();
    const card = make("section", { id: "card", role: "region", "aria-label": word(label), tabindex: "-1" },
      make("header", {}, make("h2", {}, title),
        make("button", { type: "button", class: "close", "aria-label": word("card.close"), onclick: page.unchoose }, "×")),
      ...content);
    card.addEventListener("keydown", (event) => { if (event.key === "Escape") page.unchoose(); });
    document.body.append(card);
    return card;
  };

  gridbeat.closeCard = function () {
    const card = document.getElementById("card");
    if (card) card.remove();
  };

  /** The card of a grid: who it is, where it belongs, how big, how many reports. */
  gridbeat.gridCard = function (page, feature, others) {
    const p = feature.properties;
    const unknown = word("card.unknown");
    const path = p.path ? p.path + " > " + p.name : p.name;
    return gridbeat.showCard(page, p.name, "card",
      gridbeat.facts([
        ["card.code", p.code], ["card.layer", word("layer." + p.layer)], ["card.path", path],
        ["card.area", gridbeat.area(p.area_m2)],
        ["card.households", p.households === null ? unknown : number(p.households)],
        ["card.lead", p.lead === null || p.lead === "" ? unknown : p.lead],
        ["card.reports", word("card.mixed", { n: number(p.n), open: number(p.open), edge: number(p.edge) })],
      ]),
      make("p", {}, make("button", { type: "button", onclick: () => page.zoomTo(feature) }, word("card.zoom"))),
      others.length ? make("div", { class: "others" }, make("h3", {}, word("card.over")), others.map((other) =>
        make("button", { type: "button", class: "link", onclick: () => page.choose(other) }, other.properties.name))) : null);
  };

  /** The card of one report. */
  gridbeat.reportCard = function (page, i) {
    const r = gridbeat.data.reports;
    const of = (column) => r[column].values[r[column].index[i]];
    const grid = r.grid[i] >= 0 ? gridbeat.data.grids.features[r.grid[i]] : null;
    const named = grid ? make("button", { type: "button", class: "link", onclick: () => page.choose(grid) },
      grid.properties.name + "（" + grid.properties.code + "）") : word("report.none");
    const rows = [["report.category", of("category")], ["report.channel", of("channel")], ["report.received", r.received[i]],
      ["report.status", word("status." + of("status"))], ["report.grid", named], ["report.method", word("method." + of("method"))]];
    if (r.note.length && r.note[i]) rows.push(["report.note", r.note[i]]);
    return gridbeat.showCard(page, word("report"), "report", gridbeat.facts(rows));
  };
})(window.gridbeat);
