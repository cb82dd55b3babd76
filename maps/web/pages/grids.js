// The grids map: shapes, badges and single reports on one canvas; the page asks nobody for anything.
"use strict";

(function (gridbeat) {
  const SINGLES_FROM_PX = 62; // radius of the typical grid from which its reports are drawn one by one
  const SINGLES_IN_VIEW = 4000;
  const UNASSIGNED_MERGE_PX = 44;
  // Drawn from below to above; layers of other names come right after the general one.
  const BELOW = ["layer.unit", "layer.micro", "layer.general"];
  const BETWEEN = ["kind.field", "kind.water", "kind.building", "kind.street", "border", "level.community", "level.subdistrict", "level.district"];
  const ABOVE = ["layer.frontage", "layer.dedicated"];

  gridbeat.layerKind = (layer) => (layer === "dedicated" || layer === "frontage" ? layer : "general");

  /** A diamond: a report without a grid differs by form, not by colour alone. */
  function diamondClass() {
    return L.CircleMarker.extend({
      _updatePath: function () {
        const canvas = this._renderer;
        if (!canvas._drawing || this._empty()) return;
        const p = this._point, s = this._radius, c = canvas._ctx;
        c.beginPath();
        c.moveTo(p.x, p.y - s); c.lineTo(p.x + s, p.y); c.lineTo(p.x, p.y + s); c.lineTo(p.x - s, p.y);
        c.closePath();
        canvas._fillStroke(c, this);
      },
    });
  }

  class Page {
    constructor(map, data) {
      this.map = map;
      this.data = data;
      this.hidden = new Set(["kind.field"]); // it would tint the fills that tell neighbours apart
      this.groups = {};
      this.marks = L.layerGroup().addTo(map);
      this.Diamond = diamondClass();
      this.chosen = null;
      for (const name of ["switchLanguage", "unchoose", "zoomToAll", "zoomToUnassigned"]) this[name] = this[name].bind(this);
    }

    narrow() { return window.matchMedia("(max-width: 760px)").matches; }
    isShown(key) { return !this.hidden.has(key); }

    start() {
      const map = this.map;
      gridbeat.furnish(map, this.zoomToAll);
      gridbeat.buildPanel(this);
      gridbeat.labelToggle();
      map.invalidateSize({ animate: false });
      this.zoomToAll(false);
      if (!this.data.grids.features.length) return gridbeat.sayEmpty();
      this.draw();
      this.pane = map.createPane("labels");
      map.on("moveend resize", () => this.refresh());
      map.on("zoomstart", () => { this.pane.style.visibility = "hidden"; });
      map.on("click", (event) => this.clickedAt(event.latlng));
      this.refresh();
      return undefined;
    }

    // ------------------------------------------------------------------ shapes
    draw() {
      const colours = this.data.colours, quiet = { interactive: false };
      const context = this.data.context;
      const lines = (kind, style) => L.geoJSON(context.filter((f) => f.properties.kind === kind), { ...quiet, style });
      this.groups["kind.field"] = [lines("field", { stroke: false, fillColor: colours.field, fillOpacity: 0.5 })];
      this.groups["kind.water"] = [lines("water", { color: colours["water-line"], weight: 1, fillColor: colours.water, fillOpacity: 0.85 })];
      this.groups["kind.building"] = [lines("building", { stroke: false, fillColor: colours.building, fillOpacity: 0.5 })];
      this.groups["kind.street"] = [
        lines("street", (f) => ({ color: colours["street-casing"], weight: 1.4 + 1.8 * f.properties.width, opacity: 0.55 })),
        lines("street", (f) => ({ color: colours.street, weight: 1.8 * f.properties.width, opacity: 1 }))];
      for (const layer of this.data.layers) this.groups["layer." + layer] = [this.gridLayer(layer)];
      for (const level of ["community", "subdistrict", "district"]) this.groups["level." + level] = this.outlineLayers(level);
      if (context.length) this.groups.border = [this.borderLayer()];
      this.restack();
    }

    /** Grid borders once more, above streets and water that run along them. */
    borderLayer() {
      const features = this.data.grids.features.filter((f) => f.properties.layer === "general");
      const style = { color: this.data.colours["grid-border"], weight: 1.1, dashArray: "5 3", fill: false };
      return L.geoJSON(features, { interactive: false, style, smoothFactor: 0.8 });
    }

    gridLayer(layer) {
      const colours = this.data.colours, kind = gridbeat.layerKind(layer);
      const pattern = kind === "dedicated" ? gridbeat.pattern("slashes", null, colours.dedicated, { alpha: 0.55 }) : null;
      const alpha = this.data.basemap ? 0.45 : 1;
      const style = (feature) => (kind === "general"
        ? { color: colours["grid-border"], weight: 1, fillColor: this.data.fills[feature.properties.fill], fillOpacity: alpha }
        : { color: colours[kind], weight: 2.4, dashArray: kind === "frontage" ? "6 4" : null, fillColor: pattern || colours.frontage, fillOpacity: pattern ? 1 : 0.15 });
      const features = this.data.grids.features.filter((f) => f.properties.layer === layer);
      // Clicks are taken from the map, so that every grid below the pointer is found; no shape listens itself.
      return L.geoJSON(features, { interactive: false, style, smoothFactor: 0.8 });
    }

    outlineLayers(level) {
      const colours = this.data.colours;
      const weight = { community: 2.4, subdistrict: 3.4, district: 4.4 }[level];
      const features = this.data.outlines.features.filter((f) => f.properties.level === level);
      if (!features.length) return [];
      const drawn = (style) => L.geoJSON(features, { interactive: false, smoothFactor: 0.8, style: { fill: false, ...style } });
      return [drawn({ color: colours["community-casing"], weight: weight + 2.4, opacity: 0.8 }),
        drawn({ color: colours.community, weight, dashArray: level === "community" ? null : "12 4 3 4" })];
    }

    restack() {
      const other = this.data.layers.map((l) => "layer." + l).filter((key) => !BELOW.includes(key) && !ABOVE.includes(key));
      for (const key of [...BELOW, ...other, ...BETWEEN, ...ABOVE]) {
        for (const group of this.groups[key] || []) {
          if (!this.isShown(key === "border" ? "layer.general" : key)) { this.map.removeLayer(group); continue; }
          this.map.addLayer(group);
          group.bringToFront();
        }
      }
      if (this.mark) this.mark.bringToFront();
    }

    show(key, on) {
      if (on) this.hidden.delete(key); else this.hidden.add(key);
      this.restack();
      this.refresh();
    }

    // ------------------------------------------------------------------ labels, badges, single reports
    refresh() {
      if (!this.pane) return;
      const layers = new Set(this.data.layers.filter((l) => this.isShown("layer." + l)));
      const levels = new Set(["community", "subdistrict", "district"].filter((l) => this.isShown("level." + l)));
      const singles = this.singlesInView(layers);
      const placed = gridbeat.placeLabels(this.map, {
        layers, levels, labels: this.isShown("labels"), reports: this.isShown("reports"),
      });
      const chips = placed.items.map((item) => this.chip(item));
      this.marks.clearLayers();
      if (this.isShown("reports")) {
        for (const i of singles) this.single(i).addTo(this.marks);
        chips.push(...this.unassigned(singles.length > 0, placed.taken));
      }
      this.pane.replaceChildren(...chips);
      this.pane.style.visibility = "";
      this.pane.dataset.by = placed.by;
      this.pane.dataset.singles = singles.length;
    }

    chip(item) {
      const make = gridbeat.element, unit = item.unit;
      if (item.kind === "name") return this.placeAt(make("span", { class: "chip chip-name", "aria-hidden": "true" }, item.name), item);
      const p = unit.feature && unit.feature.properties;
      const said = p ? gridbeat.word("badge.grid", { name: p.name, code: p.code, n: p.n }) : gridbeat.word("badge.area", { name: unit.name, n: unit.n });
      const act = p ? () => this.choose(unit.feature) : () => this.zoomInto(unit);
      const kind = "chip" + (item.badge ? " chip-badge" : "") + (p ? " chip-grid chip-" + gridbeat.layerKind(p.layer) : " chip-area");
      const made = make("button", { type: "button", class: kind, "aria-label": said, title: said, "data-key": unit.key, "data-n": unit.n, onclick: act },
        item.badge ? make("b", {}, gridbeat.number(unit.n)) : null,
        item.code || item.name ? make("span", { class: "text" },
          item.code ? make("i", {}, item.code) : null, item.name ? make("span", {}, item.name) : null) : null);
      return this.placeAt(made, item);
    }

    placeAt(made, item) {
      const p = this.map.containerPointToLayerPoint([item.x, item.y]);
      made.style.left = Math.round(p.x) + "px";
      made.style.top = Math.round(p.y) + "px";
      L.DomEvent.disableClickPropagation(made);
      return made;
    }

    singlesInView(layers) {
      if (!this.isShown("reports")) return [];
      const features = this.data.grids.features.filter((f) => layers.has(f.properties.layer));
      if (gridbeat.typicalRadius(this.map, features) < SINGLES_FROM_PX) return [];
      const r = this.data.reports, view = this.map.getBounds().pad(0.05), found = [];
      for (let i = 0; i < r.lon.length; i++) {
        if (!view.contains([r.lat[i], r.lon[i]])) continue;
        if (r.grid[i] >= 0 && !layers.has(this.data.grids.features[r.grid[i]].properties.layer)) continue;
        found.push(i);
        if (found.length > SINGLES_IN_VIEW) return [];
      }
      return found;
    }

    single(i) {
      const r = this.data.reports, colours = this.data.colours;
      const where = [r.lat[i], r.lon[i]];
      const edge = r.method.values[r.method.index[i]] === "edge";
      const mark = r.grid[i] === -1
        ? new this.Diamond(where, { radius: 8, color: colours["report-line"], weight: 1.5, fillColor: colours.unassigned, fillOpacity: 1 })
        : edge ? L.circleMarker(where, { radius: 5, color: colours.report, weight: 2.6, fillColor: colours["report-edge"], fillOpacity: 1 })
        : L.circleMarker(where, { radius: 4.5, color: colours["report-line"], weight: 1.2, fillColor: colours.report, fillOpacity: 0.9 });
      mark.options.bubblingMouseEvents = false;
      return mark.on("click", () => gridbeat.reportCard(this, i));
    }

    /** Reports without a grid, summed by screen square until single reports are drawn. */
    unassigned(singly, taken) {
      if (singly) return [];
      const r = this.data.reports, squares = new Map();
      const side = this.data.totals.unassigned > 500 ? 3 * UNASSIGNED_MERGE_PX : UNASSIGNED_MERGE_PX;
      for (let i = 0; i < r.lon.length; i++) {
        if (r.grid[i] !== -1) continue;
        const at = this.map.project([r.lat[i], r.lon[i]]);
        const key = Math.floor(at.x / side) + ":" + Math.floor(at.y / side);
        if (!squares.has(key)) squares.set(key, []);
        squares.get(key).push(i);
      }
      const view = this.map.getBounds().pad(0.05);
      return [...squares.values()].map((members) => this.unassignedMark(members, view, taken)).filter((chip) => chip !== null);
    }

    unassignedMark(members, view, taken) {
      const r = this.data.reports, n = members.length;
      const mean = (values) => members.reduce((sum, i) => sum + values[i], 0) / n;
      const where = L.latLng(mean(r.lat), mean(r.lon));
      if (!view.contains(where)) return null;
      if (n === 1) { this.single(members[0]).addTo(this.marks); return null; }
      const at = gridbeat.stepAside(this.map.latLngToContainerPoint(where), n, taken);
      const said = gridbeat.word("badge.unassigned", { n });
      const bounds = L.latLngBounds(members.map((i) => [r.lat[i], r.lon[i]]));
      return this.placeAt(gridbeat.element("button", {
        type: "button", class: "chip chip-unassigned", "aria-label": said, title: said, "data-n": n,
        onclick: () => this.fit(bounds, 17),
      }, gridbeat.element("b", {}, gridbeat.number(n))), at);
    }

    // ------------------------------------------------------------------ choosing
    clickedAt(at) {
      const shown = this.data.layers.filter((l) => this.isShown("layer." + l));
      const found = shown.flatMap((layer) => this.data.grids.features.filter((f) => f.properties.layer === layer && gridbeat.drawnOver(f, at)));
      if (found.length) this.choose(found[0], found.slice(1)); else this.unchoose();
    }

    choose(feature, others) {
      this.chosen = feature;
      if (this.mark) this.mark.remove();
      const p = feature.properties.point;
      this.mark = L.geoJSON(feature, { interactive: false, style: { color: this.data.colours["grid-chosen"], weight: 4, fill: false } }).addTo(this.map);
      const here = others || this.data.grids.features.filter((f) => f !== feature && f.properties.layer !== feature.properties.layer
        && gridbeat.drawnOver(f, { lng: p[0], lat: p[1] }));
      gridbeat.gridCard(this, feature, here).focus({ preventScroll: true });
    }

    unchoose() {
      if (this.mark) this.mark.remove();
      this.mark = this.chosen = null;
      gridbeat.closeCard();
    }

    // ------------------------------------------------------------------ moving
    fit(bounds, maxZoom, animate) {
      this.map.fitBounds(bounds, { padding: [24, 24], maxZoom: maxZoom || 18, animate: animate !== false });
    }

    zoomTo(feature) {
      if (this.narrow()) { document.getElementById("panel").classList.add("closed"); gridbeat.labelToggle(); }
      this.fit(L.geoJSON(feature).getBounds().pad(0.4));
    }

    zoomInto(unit) {
      this.fit(unit.area ? L.geoJSON(unit.area).getBounds() : L.geoJSON(unit.features).getBounds());
    }

    zoomToAll(animate) {
      const [west, south, east, north] = this.data.extent;
      this.fit([[south, west], [north, east]], 18, animate);
    }

    zoomToUnassigned() {
      const r = this.data.reports;
      const places = r.grid.flatMap((g, i) => (g === -1 ? [[r.lat[i], r.lon[i]]] : []));
      if (places.length) this.fit(L.latLngBounds(places), 16);
    }

    switchLanguage() {
      gridbeat.lang = gridbeat.lang === "zh" ? "en" : "zh";
      gridbeat.buildPanel(this);
      gridbeat.labelToggle();
      if (this.chosen) this.choose(this.chosen);
      this.refresh();
      document.getElementById("language").focus();
      const state = document.querySelector(".state-empty");
      if (state) { state.remove(); gridbeat.sayEmpty(); }
    }
  }

  /** The page of `#gridbeat-data` is drawn on `map`; whatever goes wrong is said on the page. */
  gridbeat.start = function (map) {
    try {
      gridbeat.data = JSON.parse(document.getElementById("gridbeat-data").textContent);
      gridbeat.lang = gridbeat.data.lang;
      gridbeat.page = new Page(map, gridbeat.data);
      gridbeat.page.start();
    } catch (fault) {
      gridbeat.fail(fault);
      throw fault;
    }
  };
})(window.gridbeat);
