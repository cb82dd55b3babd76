// The coverage map: grids or streets by how long ago they were seen, must-visit places, tracks of a day; the page asks nobody for anything.
"use strict";

(function (gridbeat) {
  const word = (key, values) => gridbeat.word(key, values);
  const SMALLEST_LABEL_PX = 13; // a grid with less room than this has no text
  const PLACES_FROM_PX = 38; // places that are in time are drawn from this room in the typical grid on
  const ROOMY_PX = 26; // in narrower grids marks shrink with them, else they would hide the classes
  const MANY = 400; // more grids than this have thin borders
  const NEAR_PX = 12;

  /** What each class is painted with on grids: a colour, or a pattern where colour alone would not do. */
  gridbeat.classFill = function (key, big = 1) {
    const c = gridbeat.data.colours, at = (name) => c["recency-" + name];
    const size = 10 * big;
    if (key === "late") return gridbeat.pattern("bars", at("late"), at("late-mark"), { size: 8 * big, width: 1.1, alpha: 0.6 });
    if (key === "never") return gridbeat.pattern("crosses", at("never"), at("never-mark"), { size: 13 * big, width: 1.3 });
    if (key === "unknown") return gridbeat.pattern("slashes", at("unknown"), at("unknown-mark"), { size, width: 1.6 });
    return at(key);
  };

  /** How a class of streets is drawn, from below to above: [colour, width, dashes]. */
  gridbeat.classLines = function (key) {
    const c = gridbeat.data.colours, at = (name) => c["recency-" + name];
    return {
      late: [[at("late"), 4.2, null], [at("late-mark"), 4.2, "1 6"]],
      old: [[at("old"), 5, null]],
      never: [[at("never"), 6, null], [at("never-mark"), 2.6, "7 7"]],
      unknown: [[at("none"), 3.2, null], [at("unknown-mark"), 3.2, "3 4"]],
      none: [[at("none"), 2, null]],
    }[key] || [[at(key), 3.4, null]];
  };

  class CoveragePage {
    constructor(map, data) {
      this.map = map;
      this.data = data;
      this.by = data.by === "street" && data.streets.lines.length ? "street" : "grid";
      this.groups = {};
      this.byCode = new Map(data.grids.features.map((f) => [f.properties.code, f]));
      this.typical = gridbeat.median(data.grids.features.map((f) => f.properties.radius));
      this.spots = data.places.rows.map((row) => gridbeat.project(row.at[0], row.at[1]));
      this.points = data.grids.features.map((f) => gridbeat.project(f.properties.point[0], f.properties.point[1]));
      for (const name of ["switchLanguage", "unchoose", "zoomToAll"]) this[name] = this[name].bind(this);
    }

    narrow() { return window.matchMedia("(max-width: 760px)").matches; }

    start() {
      const map = this.map;
      gridbeat.furnish(map, this.zoomToAll);
      this.build();
      this.zoomToAll(false);
      new ResizeObserver(() => this.fitFrame()).observe(document.getElementById("headline"));
      if (!this.data.grids.features.length) return gridbeat.sayEmpty();
      this.draw();
      this.marks = gridbeat.canvasLayer(map, "marks", 620, (c, frame) => this.paint(c, frame));
      this.time = gridbeat.startTime(this);
      map.on("click", (event) => this.clickedAt(event));
      map.on("mousemove", (event) => this.hoverAt(event));
      map.on("mouseout movestart", () => this.hover(null));
      this.show(this.by);
      this.zoomToAll(false);
      return undefined;
    }

    /** Headline, panel and time bar in the reader's language. */
    build() {
      document.documentElement.style.setProperty("--big", this.narrow() ? 1 : gridbeat.bigness());
      gridbeat.buildHeadline(this);
      gridbeat.buildCoveragePanel(this);
      gridbeat.labelToggle();
      gridbeat.buildTimeBar(this);
      this.fitFrame();
    }

    /** The map begins below the headline and ends above the time bar, whatever their heights are. */
    fitFrame() {
      const root = document.documentElement.style, bar = document.getElementById("timebar");
      root.setProperty("--big", this.narrow() ? 1 : gridbeat.bigness());
      root.setProperty("--head", document.getElementById("headline").getBoundingClientRect().height + "px");
      root.setProperty("--foot", (bar ? bar.getBoundingClientRect().height : 0) + "px");
      this.map.invalidateSize({ animate: false });
    }

    // ------------------------------------------------------------------ shapes
    draw() {
      const c = this.data.colours, quiet = { interactive: false, smoothFactor: 0.8 }, big = gridbeat.bigness();
      const shapes = (features, style) => L.geoJSON(features, { ...quiet, style });
      const context = (kind, style) => shapes(this.data.context.filter((f) => f.properties.kind === kind), style);
      const fills = Object.fromEntries(this.data.classes.map(({ key }) => [key, gridbeat.classFill(key, big)]));
      const alpha = this.data.basemap ? 0.6 : 1, grids = this.data.grids.features;
      const border = { color: c["grid-border"], weight: (grids.length > MANY ? 0.5 : 1.2) * big };
      const levels = { community: 2.4, subdistrict: 3.4, district: 4.4 };
      const outline = (casing) => shapes(this.data.outlines.features, (f) => ({
        fill: false, color: casing ? c["community-casing"] : c.community, opacity: casing ? 0.85 : 1,
        weight: big * ((levels[f.properties.level] || 1.6) + (casing ? 2.4 : 0)) }));
      this.groups = {
        fill: [shapes(grids, (f) => ({ ...border, fillColor: fills[f.properties.class], fillOpacity: alpha }))],
        blank: [shapes(grids, { ...border, dashArray: "4 4", opacity: 0.7, fillColor: c["recency-none"], fillOpacity: alpha })],
        building: [context("building", { stroke: false, fillColor: c.building, fillOpacity: 0.3 })],
        // Water as lines alone: filled, it would be taken for a class, and beside streets a blue line would be, too.
        water: [context("water", { color: c["water-line"], weight: 1.1 * big, opacity: 0.45, fill: false })],
        bank: [context("water", { color: c["surface-line"], weight: 1.1 * big, fill: false })],
        street: [context("street", (f) => ({ color: c.street, weight: big * 1.2 * f.properties.width, opacity: 0.5 }))],
        border: [shapes(grids, { color: c.community, weight: (grids.length > MANY ? 0.6 : 1.3) * big, fill: false, opacity: 0.75 })],
        outlines: [outline(true), outline(false)],
        quiet: [shapes(this.data.outlines.features, { fill: false, color: c["grid-border"], weight: 2.2 * big, dashArray: "9 5", opacity: 0.6 })],
        seen: this.streetLayers(big),
      };
    }

    /** All pieces of a class are one shape with many parts: ten thousand pieces are a handful of things to draw. */
    streetLayers(big) {
      const s = this.data.streets, held = new Map();
      s.lines.forEach((parts, i) => {
        if (!held.has(s.class[i])) held.set(s.class[i], []);
        held.get(s.class[i]).push(...parts.map((part) => part.map(([lon, lat]) => [lat, lon])));
      });
      const order = ["none", "fresh", "half", "cycle", "unknown", "late", "old", "never"].filter((key) => held.has(key));
      const one = (key, colour, weight, dashArray, lineCap = "butt") =>
        L.polyline(held.get(key), { interactive: false, smoothFactor: 1, color: colour, weight: weight * big, dashArray: dashArray && dashArray.split(" ").map((n) => n * big).join(" "), lineCap });
      return [...order.map((key) => one(key, this.data.colours["grid-border"], 1.6 + gridbeat.classLines(key)[0][1], null, "round")),
        ...order.flatMap((key) => gridbeat.classLines(key).map(([colour, weight, dashes]) => one(key, colour, weight, dashes)))];
    }

    /** Coloured by grid or by street. */
    show(by) {
      this.by = by;
      const shown = by === "grid" ? ["fill", "building", "water", "street", "border", "outlines"] : ["blank", "building", "bank", "quiet", "seen"];
      for (const groups of Object.values(this.groups)) for (const group of groups) this.map.removeLayer(group);
      for (const key of shown) for (const group of this.groups[key]) { this.map.addLayer(group); group.bringToFront(); }
      if (this.mark) this.mark.bringToFront();
      this.marks.redraw();
    }

    // ------------------------------------------------------------------ texts and marks
    /** Radius in pixels of the circle that fits into the typical grid. */
    room() { return this.typical * gridbeat.pixelsPerDegree(this.map); }

    /** The share of their size that marks and dots have: 1 where grids have room. */
    smallness() { return Math.max(0.3, Math.min(1, this.room() / (ROOMY_PX * gridbeat.bigness()))); }

    paint(c, frame) {
      const rows = this.data.places.rows, seen = [], edge = 12 * frame.big;
      const near = this.room() > PLACES_FROM_PX * frame.big;
      for (let i = rows.length - 1; i >= 0; i--) {
        if (rows[i].state === "due" && !near) continue;
        const [x, y] = frame.pixel(this.spots[i].x, this.spots[i].y);
        if (x > -edge && y > -edge && x < frame.size.x + edge && y < frame.size.y + edge) seen.push([i, x, y]);
      }
      this.inView = seen;
      for (const [i, x, y] of seen) gridbeat.paintMark(c, rows[i].state, x, y, 6.5 * frame.big * this.smallness());
      this.paintLabels(c, frame);
      if (this.chosenPlace !== undefined) this.ringPlace(c, frame);
    }

    paintLabels(c, frame) {
      const colours = this.data.colours, perDegree = gridbeat.pixelsPerDegree(this.map);
      const family = getComputedStyle(document.body).fontFamily;
      this.labelled = 0;
      this.data.grids.features.forEach(({ properties: p }, i) => {
        const room = p.radius * perDegree;
        if (room < SMALLEST_LABEL_PX * frame.big) return;
        const [x, y] = frame.pixel(this.points[i].x, this.points[i].y);
        if (x < -room || y < -room || x > frame.size.x + room || y > frame.size.y + room) return;
        const said = this.by === "grid" ? gridbeat.ageText(p) : "";
        let size = Math.min(30 * frame.big, Math.max(12 * frame.big, room * 0.62));
        c.font = `700 ${size}px ${family}`;
        size = Math.min(size, (size * 1.8 * room) / Math.max(c.measureText(said).width, 1));
        const code = room > 27 * frame.big || !said;
        const lift = code && said ? size * 0.38 : 0, halo = 3.4 * frame.big;
        const dark = this.by === "grid" && (p.class === "never" || p.class === "old");
        const [ink, around] = dark ? [colours.surface, colours["recency-" + p.class]] : [colours.ink, colours.halo];
        if (said && size >= 10 * frame.big) gridbeat.haloText(c, said, x, y - lift, `700 ${size}px ${family}`, ink, around, dark ? 2 * halo : halo);
        const below = Math.max(11 * frame.big, size * 0.46);
        c.font = `600 ${below}px ${family}`;
        if (code && c.measureText(p.short).width < 2 * room) {
          gridbeat.haloText(c, p.short, x, said ? y + size * 0.5 : y, c.font, dark ? ink : colours["ink-quiet"], around, halo * (dark ? 1.6 : 0.8));
        }
        this.labelled += 1;
      });
    }

    ringPlace(c, frame) {
      const [x, y] = frame.pixel(this.spots[this.chosenPlace].x, this.spots[this.chosenPlace].y);
      c.strokeStyle = this.data.colours["grid-chosen"]; c.lineWidth = 3.5 * frame.big;
      c.beginPath(); c.arc(x, y, 14 * frame.big, 0, 2 * Math.PI); c.stroke();
    }

    // ------------------------------------------------------------------ choosing
    gridAt(at) { return this.data.grids.features.findLast((f) => gridbeat.drawnOver(f, at)); }

    clickedAt(event) {
      const p = event.containerPoint, reach = NEAR_PX * gridbeat.bigness();
      const track = this.time.memberAt(p, reach);
      if (track) return this.time.choose(track);
      const place = gridbeat.nearest(this.inView, p, reach);
      if (place !== null) return this.choosePlace(place, false);
      const street = this.by === "street" ? gridbeat.streetAt(this, event.latlng, reach) : null;
      if (street !== null) return this.chooseStreet(street);
      const feature = this.gridAt(event.latlng);
      return feature ? this.choose(feature) : this.unchoose();
    }

    hoverAt(event) {
      if (this.waiting || !window.matchMedia("(hover: hover)").matches) return;
      this.waiting = requestAnimationFrame(() => {
        this.waiting = null;
        this.hover(this.gridAt(event.latlng) || null, event.containerPoint);
      });
    }

    hover(feature, at) {
      if (feature === null && !document.getElementById("hover")) return;
      gridbeat.hoverCard(this, feature, at);
    }

    ring(shape) {
      if (this.mark) this.mark.remove();
      this.mark = L.geoJSON(shape, { interactive: false, style: { color: this.data.colours["grid-chosen"], weight: 4.5 * gridbeat.bigness(), fill: false } }).addTo(this.map);
    }

    choose(feature) {
      this.unchoose();
      this.chosen = () => this.choose(feature);
      this.ring(feature);
      gridbeat.coverageCard(this, feature).focus({ preventScroll: true });
    }

    chooseStreet(i) {
      this.unchoose();
      this.chosen = () => this.chooseStreet(i);
      this.ring({ type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: this.data.streets.lines[i] } });
      gridbeat.streetCard(this, i).focus({ preventScroll: true });
    }

    /** The place with its card; from the list the map goes there as well. */
    choosePlace(i, fly) {
      this.unchoose();
      this.chosen = () => this.choosePlace(i, false);
      this.chosenPlace = i;
      const [lon, lat] = this.data.places.rows[i].at;
      if (fly) this.flyTo(L.latLng(lat, lon));
      if (fly && this.narrow()) { document.getElementById("panel").classList.add("closed"); gridbeat.labelToggle(); }
      this.marks.redraw();
      gridbeat.placeCard(this, i).focus({ preventScroll: true });
    }

    unchoose() {
      if (this.mark) this.mark.remove();
      const ringed = this.chosenPlace !== undefined;
      this.mark = this.chosen = this.chosenPlace = undefined;
      if (this.time) this.time.unchoose();
      if (ringed) this.marks.redraw();
      gridbeat.closeCard();
    }

    // ------------------------------------------------------------------ moving
    flyTo(at) {
      const zoom = Math.max(this.map.getZoom(), 16.5);
      if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) this.map.setView(at, zoom, { animate: false });
      else this.map.flyTo(at, zoom, { duration: 0.9 });
    }

    zoomTo(feature) {
      if (this.narrow()) { document.getElementById("panel").classList.add("closed"); gridbeat.labelToggle(); }
      this.map.fitBounds(L.geoJSON(feature).getBounds().pad(0.4), { maxZoom: 18 });
    }

    zoomToAll(animate) {
      const [west, south, east, north] = this.data.extent;
      this.map.fitBounds([[south, west], [north, east]], { padding: [14, 14], maxZoom: 18, animate: animate !== false });
    }

    switchLanguage() {
      gridbeat.lang = gridbeat.lang === "zh" ? "en" : "zh";
      this.build();
      if (this.chosen) this.chosen();
      if (this.marks) this.marks.redraw();
      document.getElementById("language").focus();
      const state = document.querySelector(".state-empty");
      if (state) { state.remove(); gridbeat.sayEmpty(); }
    }
  }

  gridbeat.median = function (numbers) {
    const sorted = numbers.slice().sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
  };

  /** The first of [[what, x, y]] that is nearest to a point of the screen, within reach; else null. */
  gridbeat.nearest = function (marks, p, reach) {
    let found = null, least = reach;
    for (const [what, x, y] of marks || []) {
      const away = Math.hypot(x - p.x, y - p.y);
      if (away < least) { least = away; found = what; }
    }
    return found;
  };

  /** The piece of street nearest to where was clicked, within reach (pixels); else null. */
  gridbeat.streetAt = function (page, at, reach) {
    const squeeze = Math.cos((at.lat * Math.PI) / 180), perDegree = gridbeat.pixelsPerDegree(page.map) * squeeze;
    const far = reach / perDegree, high = far * squeeze;
    let found = null, least = reach;
    page.data.streets.lines.forEach((parts, i) => {
      for (const part of parts) {
        for (let k = 1; k < part.length; k++) {
          const [ax, ay] = part[k - 1], [bx, by] = part[k];
          if (Math.max(ax, bx) < at.lng - far || Math.min(ax, bx) > at.lng + far || Math.max(ay, by) < at.lat - high || Math.min(ay, by) > at.lat + high) continue;
          const away = toSegment((at.lng - ax) * perDegree, ((at.lat - ay) * perDegree) / squeeze, (bx - ax) * perDegree, ((by - ay) * perDegree) / squeeze);
          if (away < least) { least = away; found = i; }
        }
      }
    });
    return found;
  };

  function toSegment(px, py, dx, dy) {
    const length = dx * dx + dy * dy, t = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
    return Math.hypot(px - t * dx, py - t * dy);
  }

  /** The page of `#gridbeat-data` is drawn on `map`; whatever goes wrong is said on the page. */
  gridbeat.startCoverage = function (map) {
    try {
      gridbeat.data = JSON.parse(document.getElementById("gridbeat-data").textContent);
      gridbeat.lang = gridbeat.data.lang;
      gridbeat.page = new CoveragePage(map, gridbeat.data);
      gridbeat.page.start();
    } catch (fault) {
      gridbeat.fail(fault);
      throw fault;
    }
  };
})(window.gridbeat);
