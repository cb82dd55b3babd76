// The overdue list, and the cards of a grid, a street, a place and a member; states by shape as well as by colour.
"use strict";

(function (gridbeat) {
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);
  const AT_ONCE = 60;
  const LISTED = ["overdue", "unknown", "soon"]; // what is in time stands on the map alone
  let filter = "all", shown = AT_ONCE;

  // ------------------------------------------------------------------ shapes of states
  /** overdue: a full triangle; unknown: a grey square with a stroke; soon: an empty triangle; due: an empty circle. */
  gridbeat.paintMark = function (c, state, x, y, r) {
    const colours = gridbeat.data.colours;
    const face = { overdue: "recency-old", unknown: "recency-unknown", soon: "surface", due: "surface" }[state];
    const line = { overdue: "halo", unknown: "recency-unknown-mark", soon: "recency-late", due: "recency-cycle" }[state];
    c.beginPath();
    if (state === "due") c.arc(x, y, r * 0.7, 0, 2 * Math.PI);
    else if (state === "unknown") c.rect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
    else { c.moveTo(x, y - r * 1.1); c.lineTo(x + r, y + r * 0.8); c.lineTo(x - r, y + r * 0.8); c.closePath(); }
    c.fillStyle = colours[face]; c.strokeStyle = colours[line];
    c.lineWidth = Math.max(1, r * (state === "overdue" ? 0.26 : 0.36));
    c.stroke(); c.fill();
    if (state !== "unknown") return;
    c.beginPath(); c.moveTo(x - r * 0.8, y + r * 0.8); c.lineTo(x + r * 0.8, y - r * 0.8); c.stroke();
  };

  /** The same shape as a small picture beside a text. */
  gridbeat.markSign = function (state) {
    const made = make("canvas", { class: "mark-sign mark-" + state, width: 40, height: 40, "aria-hidden": "true" });
    const c = made.getContext("2d");
    c.scale(2, 2);
    gridbeat.paintMark(c, state, 10, 10, 7.5);
    return made;
  };

  // ------------------------------------------------------------------ the list
  /** What this caller may not see, and, where a server can be asked, the way to it. */
  gridbeat.withheld = function (what) {
    const next = encodeURIComponent(location.pathname + location.search);
    const link = gridbeat.data.served ? make("a", { href: "/sign-in?next=" + next, class: "signin" }, word("coverage.signin")) : null;
    return make("p", { id: "withheld-" + what, class: "quiet" }, word("coverage.withheld." + what), " ", link);
  };

  gridbeat.overdueList = function (page) {
    const places = gridbeat.data.places;
    const heading = make("h2", {}, word("coverage.list"));
    if (gridbeat.data.withheld.includes("places")) {
      return make("section", { id: "overdue" }, heading, gridbeat.withheld("places"));
    }
    if (!places.rows.length) {
      return make("section", { id: "overdue" }, heading, make("p", { id: "noplaces", class: "quiet" },
        word("coverage.list.empty"), " ", make("code", {}, "gridbeat load places FILE --commit")));
    }
    const list = make("ul", { id: "overdue-list" });
    const more = make("button", { type: "button", id: "more", onclick: () => { shown += AT_ONCE; fill(page, list, more); } });
    list.addEventListener("keydown", (event) => stepThrough(event));
    fill(page, list, more);
    return make("section", { id: "overdue" }, heading, filters(page, list, more), list, more);
  };

  function chosenRows() {
    const wanted = filter === "all" ? LISTED : [filter];
    return gridbeat.data.places.rows.flatMap((row, i) => (wanted.includes(row.state) ? [[row, i]] : []));
  }

  function filters(page, list, more) {
    const counts = gridbeat.data.places.counts;
    const all = LISTED.reduce((sum, state) => sum + counts[state], 0);
    const one = (key, text, n) => make("label", {}, make("input", {
      type: "radio", name: "due", value: key, checked: filter === key,
      onchange: () => { filter = key; shown = AT_ONCE; fill(page, list, more); },
    }), make("span", {}, key === "all" ? null : gridbeat.markSign(key), text, " ", make("b", {}, gridbeat.number(n))));
    return make("fieldset", { class: "modes filters", "aria-label": word("coverage.list.show") },
      one("all", word("coverage.list.all"), all), LISTED.map((state) => one(state, word("coverage.due." + state), counts[state])));
  }

  function fill(page, list, more) {
    const rows = chosenRows(), left = rows.length - shown;
    list.replaceChildren(...rows.slice(0, shown).map(([row, i]) => make("li", {}, entry(page, row, i))));
    if (!rows.length) list.replaceChildren(make("li", { class: "quiet", id: "clear" }, word("coverage.list.clear")));
    more.hidden = left <= 0;
    more.textContent = left > 0 ? word("coverage.list.more", { n: gridbeat.number(Math.min(left, AT_ONCE)), of: gridbeat.number(rows.length) }) : "";
  }

  function entry(page, row, i) {
    const grid = page.byCode.get(row.grid);
    return make("button", { type: "button", "data-place": row.code, class: "due due-" + row.state, onclick: () => page.choosePlace(i, true) },
      gridbeat.markSign(row.state),
      make("span", { class: "what" }, make("span", { class: "name" }, row.name), make("small", {}, [row.kind, grid ? grid.properties.name : ""].filter(Boolean).join(" · "))),
      make("span", { class: "when" }, overText(row), row.likely ? make("small", {}, word("coverage.place.likely") + " " + row.likely) : null));
  }

  /** How late, in a word; what is unknown says so beside the number. */
  function overText(row) {
    if (!row.is_over) return word("coverage.left", { days: row.over });
    return word(row.state === "unknown" ? "coverage.over.unknown" : "coverage.over", { days: row.over });
  }

  function stepThrough(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const here = step && document.activeElement.closest("li"), next = here && here[step];
    if (!next) return;
    event.preventDefault();
    next.querySelector("button").focus();
  }

  // ------------------------------------------------------------------ cards
  const dot = " · ";

  gridbeat.coverageCard = function (page, feature) {
    const p = feature.properties;
    const rows = [["card.code", p.code], ["card.path", p.path || dot.trim()], ["coverage.recency", gridbeat.ageSentence(p.class, p.days)],
      ["coverage.state", word("coverage.state." + (p.state || "none"))]];
    if (p.members.length) rows.push(["coverage.members", p.members.join(gridbeat.lang === "zh" ? "、" : ", ")]);
    return gridbeat.showCard(page, p.name, "coverage.grid", gridbeat.facts(rows),
      make("h3", {}, word("coverage.figures")), gridbeat.figureTable(p.figures, "figures"),
      make("p", {}, make("button", { type: "button", onclick: () => page.zoomTo(feature) }, word("card.zoom"))));
  };

  gridbeat.streetCard = function (page, i) {
    const s = gridbeat.data.streets;
    return gridbeat.showCard(page, s.names[s.name[i]] || word("coverage.street.nameless"), "coverage.street", gridbeat.facts([
      ["coverage.recency", gridbeat.ageSentence(s.class[i], s.days[i])], ["coverage.length", gridbeat.number(s.length_m[i]) + " m"]]));
  };

  gridbeat.placeCard = function (page, i) {
    const row = gridbeat.data.places.rows[i], grid = page.byCode.get(row.grid);
    const named = grid ? make("button", { type: "button", class: "link", onclick: () => page.choose(grid) }, grid.properties.name) : row.grid || word("report.none");
    const rows = [["card.code", row.code], ["coverage.place.kind", row.kind], ["report.grid", named],
      ["coverage.state", make("span", {}, gridbeat.markSign(row.state), word("coverage.due." + row.state) + dot + overText(row))],
      ["coverage.place.last", row.last || word("coverage.place.never")], ["coverage.place.due", row.due]];
    if (row.likely) rows.push(["coverage.place.likely", row.likely]);
    return gridbeat.showCard(page, row.name, "coverage.place", gridbeat.facts(rows));
  };

  gridbeat.memberCard = function (page, track, said) {
    const grid = page.byCode.get(track.grid);
    return gridbeat.showCard(page, track.name, "coverage.time.member", gridbeat.facts([
      ["card.code", track.member], ["report.grid", grid ? grid.properties.name : track.grid || word("report.none")],
      ["coverage.time.slider", make("span", { id: "member-at" }, said)]]));
  };

  /** What lies under the pointer, beside it: the grid's age and figures. */
  gridbeat.hoverCard = function (page, feature, at) {
    const old = document.getElementById("hover");
    if (!feature || feature === page.hovered) {
      if (!feature && old) { old.remove(); page.hovered = null; }
      if (feature && old) moveTo(old, at, page);
      return;
    }
    if (old) old.remove();
    page.hovered = feature;
    const p = feature.properties;
    const made = make("div", { id: "hover", "aria-hidden": "true" }, make("strong", {}, p.name), make("span", {}, gridbeat.ageSentence(p.class, p.days)),
      p.figures.map(([name, percent, fraction]) => make("span", {}, word("coverage.figure." + name), " ", make("b", {}, percent), " ", make("i", {}, fraction))));
    page.map.getContainer().append(made);
    moveTo(made, at, page);
  };

  /** Beside the pointer and within the map; what is set in pixels is enlarged by the style sheet's zoom. */
  function moveTo(made, at, page) {
    const size = page.map.getSize(), box = made.getBoundingClientRect();
    const big = Number(getComputedStyle(made).zoom) || 1;
    made.style.left = Math.max(0, Math.min(at.x + 16, size.x - box.width - 8)) / big + "px";
    made.style.top = Math.max(0, Math.min(at.y + 16, size.y - box.height - 8)) / big + "px";
  }
})(window.gridbeat);
