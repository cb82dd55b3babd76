// Headline and panel of the coverage map: the figures for the wall, legend, parameters, figures of all grids, notes.
"use strict";

(function (gridbeat) {
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);
  const number = (value) => gridbeat.number(value);

  /** The text of a class of the legend. */
  gridbeat.classText = function (key) {
    return word("coverage.class." + key, gridbeat.data.classes.find((one) => one.key === key));
  };

  /** The short text in a grid: days, or never, or unknown. */
  gridbeat.ageText = function (p) {
    if (p.class === "none") return "";
    if (p.class === "never" || p.class === "unknown") return word("coverage.short." + p.class);
    return word("coverage.days", { days: p.days.startsWith("0.") ? "<1" : p.days });
  };

  /** The age as a sentence: what is unknown says what is known of it. */
  gridbeat.ageSentence = function (kind, days) {
    if (kind === "unknown" && days !== null) return word("coverage.known.ago", { days });
    return days === null || kind === "never" ? gridbeat.classText(kind) : word("coverage.ago", { days });
  };

  // ------------------------------------------------------------------ the headline
  /** What is read from the other end of the room: the share, and beside it, never in it, what is unknown. */
  gridbeat.buildHeadline = function () {
    const old = document.getElementById("headline");
    const r = gridbeat.data.revisited, counts = gridbeat.data.places.counts;
    const figure = (kind, value, text, sign) => make("p", { class: "figure figure-" + kind }, make("b", {}, sign || null, value), make("span", {}, text));
    const share = make("p", { class: "share" },
      make("b", { id: "share" }, r.known ? r.percent : "–"),
      make("span", {}, make("strong", {}, word("coverage.headline")),
        make("em", { id: "share-of" }, r.known ? word("coverage.of", { visited: number(r.visited), known: number(r.known) }) : word("coverage.nothing"))));
    const made = make("section", { id: "headline", "aria-label": word("coverage.headline") }, share,
      figure("missed", number(r.missed), word("coverage.missed")),
      figure("unknown", number(r.unknown), make("span", { title: word("coverage.unknown.what") }, word("coverage.unknown")), gridbeat.swatch("unknown", "grid")),
      r.none ? figure("none", number(r.none), word("coverage.none")) : null,
      gridbeat.data.places.rows.length ? figure("overdue", number(counts.overdue), word("coverage.overdue"), gridbeat.markSign("overdue")) : null,
      gridbeat.data.oldest === null ? null : figure("oldest", gridbeat.data.oldest, word("coverage.oldest")),
      gridbeat.data.evidence || !gridbeat.data.grids.features.length ? null : make("div", { id: "noevidence", role: "status" },
        make("span", {}, word("coverage.evidence.none")), make("code", {}, "gridbeat load fixes FILE --commit")));
    if (old) old.replaceChildren(...made.childNodes);
    else document.body.prepend(made);
    document.getElementById("headline").setAttribute("aria-label", word("coverage.headline"));
  };

  // ------------------------------------------------------------------ the panel
  gridbeat.buildCoveragePanel = function (page) {
    const old = document.getElementById("panel");
    const closed = old ? old.classList.contains("closed") : page.narrow();
    if (old) old.remove();
    document.documentElement.lang = gridbeat.lang === "zh" ? "zh-CN" : "en";
    document.title = gridbeat.data.title || word("title.coverage");
    const body = make("div", { class: "panel-body", id: "panel-body" },
      switchBy(page), legend(page.by), gridbeat.overdueList(page), gridbeat.searchBox(page), totals(), parameters(), notes());
    document.body.prepend(make("aside", { id: "panel", class: "coverage-panel" + (closed ? " closed" : ""), "aria-label": word("panel") },
      gridbeat.panelHeading(page, "title.coverage"), body));
    const box = document.getElementById("map_gridbeat");
    box.setAttribute("aria-label", word("map"));
    box.setAttribute("role", "application");
  };

  function switchBy(page) {
    const streets = gridbeat.data.streets.lines.length;
    const one = (by) => make("label", { class: "mode" },
      make("input", { type: "radio", name: "by", value: by, checked: page.by === by, disabled: by === "street" && !streets,
        onchange: () => { page.show(by); document.getElementById("legend").replaceWith(legend(by)); } }),
      make("span", {}, word("coverage.by." + by)));
    return make("fieldset", { class: "modes" }, make("legend", { class: "quiet" }, word("coverage.by")), ["grid", "street"].map(one),
      gridbeat.data.withheld.includes("streets") ? gridbeat.withheld("streets") : streets ? null : make("p", { class: "quiet", id: "nostreets" }, word("coverage.streets.none"), " ", make("code", {}, "gridbeat load streets FILE --commit")));
  }

  function legend(by) {
    const counts = {};
    if (by === "grid") for (const f of gridbeat.data.grids.features) counts[f.properties.class] = (counts[f.properties.class] || 0) + 1;
    else gridbeat.data.streets.class.forEach((key, i) => { counts[key] = (counts[key] || 0) + gridbeat.data.streets.length_m[i]; });
    const said = (n) => (by === "grid" ? number(n || 0) : number(((n || 0) / 1000).toFixed(1)) + " km");
    return make("section", { id: "legend" }, make("h2", {}, word("coverage.legend")), make("ul", { class: "layers classes" },
      gridbeat.data.classes.map(({ key }) => make("li", { class: "legend", "data-class": key }, gridbeat.swatch(key, by),
        make("span", {}, gridbeat.classText(key)), make("span", { class: "count" }, said(counts[key]))))));
  }

  /** A small canvas painted as the map is. */
  gridbeat.swatch = function (key, by) {
    const made = make("canvas", { class: "class-swatch", width: 80, height: 44, "aria-hidden": "true" });
    const c = made.getContext("2d");
    c.scale(2, 2);
    if (by === "grid") {
      c.fillStyle = gridbeat.classFill(key); c.fillRect(0, 0, 40, 22);
      c.strokeStyle = gridbeat.data.colours["grid-border"]; c.lineWidth = 2; c.strokeRect(0, 0, 40, 22);
      return made;
    }
    const lines = gridbeat.classLines(key);
    for (const [colour, width, dashes] of [[gridbeat.data.colours["grid-border"], lines[0][1] + 1.6, null], ...lines]) {
      c.strokeStyle = colour; c.lineWidth = width; c.setLineDash(dashes ? dashes.split(" ").map(Number) : []);
      c.beginPath(); c.moveTo(1, 11); c.lineTo(39, 11); c.stroke();
    }
    return made;
  };

  /** Figures as [name, per cent, numerator over denominator]. */
  gridbeat.figureTable = function (figures, id) {
    return make("table", { class: "figures", id }, make("tbody", {}, figures.map(([name, percent, fraction]) => make("tr", {},
      make("th", { scope: "row" }, word("coverage.figure." + name)), make("td", {}, fraction), make("td", {}, make("b", {}, percent))))));
  };

  function totals() {
    const held = gridbeat.data.totals;
    return held.length ? make("section", {}, make("h2", {}, word("coverage.figures.whole")), gridbeat.figureTable(held, "totals")) : null;
  }

  function parameters() {
    const data = gridbeat.data;
    return make("section", { id: "parameters" }, make("h2", {}, word("coverage.parameters")),
      make("p", { class: "quiet" }, word("coverage.window") + " " + data.begin + " – " + data.end),
      make("dl", { class: "facts" }, data.parameters.map(([name, value]) => [make("dt", {}, word("coverage.parameter." + name)),
        make("dd", {}, name === "layer" ? word("layer." + value) : value)])));
  }

  function notes() {
    const data = gridbeat.data, lines = [...data.notes];
    const hidden = data.withheld.includes("tracks");
    if (!hidden && !data.day.tracks.length && data.grids.features.length) lines.push(word("coverage.time.none"));
    if (data.simplified) lines.push(word("simplified", { metres: data.simplified }));
    if (data.basemap) lines.push(data.basemap.attribution, word("approval", { number: data.basemap.approval }));
    if (!lines.length && !hidden) return null;
    return make("section", { class: "notes", id: "notes" }, hidden ? gridbeat.withheld("tracks") : null, lines.map((line) => make("p", {}, line)));
  }
})(window.gridbeat);
