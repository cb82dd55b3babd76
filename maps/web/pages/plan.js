// The map of a plan: before, after or both, the ground that changes hands, the events that move; the page asks nobody for anything.
"use strict";

(function (gridbeat) {
  const word = (key, values) => gridbeat.word(key, values);
  const make = gridbeat.element;
  const LABEL_FROM_PX = 16;

  class PlanPage {
    constructor(map, data) {
      this.map = map;
      this.data = data;
      this.mode = "both";
      this.groups = {};
      this.labels = [];
    }

    start() {
      const map = this.map;
      map.options.zoomSnap = 0.25;
      L.control.zoom({ position: "bottomright", zoomInTitle: word("zoom.in"), zoomOutTitle: word("zoom.out") }).addTo(map);
      L.control.scale({ imperial: false, position: "bottomright", maxWidth: 140 }).addTo(map);
      if (this.data.basemap) this.tiles(this.data.basemap);
      gridbeat.buildPlanPanel(this);
      map.invalidateSize({ animate: false });
      this.zoomToAll(false);
      this.draw();
      this.pane = map.createPane("labels");
      map.on("moveend resize", () => this.refresh());
      map.on("zoomstart", () => { this.pane.style.visibility = "hidden"; });
      this.show(this.mode);
    }

    tiles(b) {
      this.map.options.zoomSnap = 1;
      L.tileLayer(b.url, { maxZoom: b.max_zoom }).addTo(this.map);
      const said = document.createElement("i");
      said.textContent = b.attribution + " " + word("approval", { number: b.approval });
      L.control.attribution({ prefix: false, position: "bottomleft" }).addTo(this.map).addAttribution(said.innerHTML);
    }

    draw() {
      const c = this.data.colours, quiet = { interactive: false, smoothFactor: 0.8 };
      const alpha = this.data.basemap ? 0.4 : 1;
      const layer = (features, style) => L.geoJSON(features, { ...quiet, style });
      const context = (kind, style) => layer(this.data.context.filter((f) => f.properties.kind === kind), style);
      const fill = (f) => ({ color: c["grid-border"], weight: 0.8, fillColor: f.properties.touched ? c["plan-touched"] : c["plan-quiet"], fillOpacity: alpha });
      const changed = (features) => features.filter((f) => f.properties.touched);
      this.groups = {
        ground: [layer(this.data.after.length ? this.data.after : this.data.before, fill)],
        groundBefore: [layer(this.data.before, fill)],
        pieces: [layer(this.data.pieces, { color: c["plan-line"], weight: 1, fillColor: c["plan-piece"], fillOpacity: 0.85 })],
        context: [
          context("water", { color: c["water-line"], weight: 0.6, opacity: 0.5, fillColor: c.water, fillOpacity: 0.45 }),
          context("street", (f) => ({ color: c["street-casing"], weight: 1.2 + 1.6 * f.properties.width, opacity: 0.45 })),
          context("street", (f) => ({ color: c.street, weight: 1.6 * f.properties.width }))],
        outlines: [layer(this.data.outlines, { fill: false, color: c.community, weight: 2.2, opacity: 0.85 })],
        border: [layer(this.data.after.length ? this.data.after : this.data.before, { fill: false, color: c["grid-border"], weight: 1, dashArray: "5 3" })],
        borderBefore: [layer(this.data.before, { fill: false, color: c["grid-border"], weight: 1, dashArray: "5 3" })],
        touchedBefore: [layer(changed(this.data.before), { fill: false, color: c["plan-before"], weight: 1.8 })],
        touched: [layer(changed(this.data.after), { fill: false, color: c["plan-before"], weight: 1.8 })],
        fresh: [layer(this.data.fresh, { color: c.halo, weight: 6, opacity: 0.9 }), layer(this.data.fresh, { color: c["plan-after"], weight: 3.6 })],
        gone: [layer(this.data.gone, { color: c.halo, weight: 5, opacity: 0.9 }), layer(this.data.gone, { color: c["plan-before"], weight: 2.6, dashArray: "6 4" })],
        events: [this.eventLayer()],
      };
    }

    eventLayer() {
      const c = this.data.colours, e = this.data.events, group = L.layerGroup();
      e.places.forEach(([lon, lat], i) => {
        const style = { radius: 4.5, weight: 1.8, color: c.report, fillColor: e.open[i] ? c.report : c["report-edge"], fillOpacity: 1 };
        const said = (e.from[i] || word("plan.outside")) + " → " + (e.to[i] || word("plan.outside"));
        L.circleMarker([lat, lon], style).bindTooltip(() => { const t = document.createElement("span"); t.textContent = said; return t; }).addTo(group);
      });
      return group;
    }

    /** before, after or both: which ground, which borders, which names. */
    show(mode) {
      this.mode = mode;
      const shown = {
        before: ["groundBefore", "context", "borderBefore", "outlines", "touchedBefore", "gone"],
        after: ["ground", "context", "border", "outlines", "touched", "fresh"],
        both: ["ground", "pieces", "context", "border", "outlines", "touched", "gone", "fresh", "events"],
      }[mode];
      for (const groups of Object.values(this.groups)) for (const group of groups) this.map.removeLayer(group);
      for (const key of shown) {
        for (const group of this.groups[key]) { this.map.addLayer(group); if (group.bringToFront) group.bringToFront(); }
      }
      if (this.mark) this.mark.bringToFront();
      this.refresh();
    }

    features() { return this.mode === "before" || !this.data.after.length ? this.data.before : this.data.after; }

    /** Names of the grids concerned, where there is room; nothing over anything else. */
    refresh() {
      if (!this.pane) return;
      const view = this.map.getBounds().pad(0.1), taken = [], chips = [];
      const scale = this.map.getZoomScale(this.map.getZoom(), 0) * 256 / 360;
      const order = [...this.features()].sort((a, b) => b.properties.touched - a.properties.touched || b.properties.radius - a.properties.radius);
      for (const { properties: p } of order) {
        const at = L.latLng(p.point[1], p.point[0]);
        if (!view.contains(at) || (!p.touched && p.radius * scale < LABEL_FROM_PX)) continue;
        const { x, y } = this.map.latLngToContainerPoint(at);
        const name = p.touched && p.name !== p.code ? p.name : "";
        const width = Math.max(gridbeat.textWidth(p.short), gridbeat.textWidth(name)) + 6, height = name ? 32 : 17;
        const box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
        if (taken.some((t) => t[0] < box[2] && t[2] > box[0] && t[1] < box[3] && t[3] > box[1])) continue;
        taken.push(box);
        const chip = make("span", { class: "chip plan-name" + (p.touched ? " plan-touched" : ""), "data-code": p.code },
          make("i", {}, p.short), name ? make("span", {}, name) : null);
        const place = this.map.containerPointToLayerPoint([x, y]);
        chip.style.left = Math.round(place.x) + "px";
        chip.style.top = Math.round(place.y) + "px";
        chips.push(chip);
      }
      this.pane.replaceChildren(...chips);
      this.pane.style.visibility = "";
    }

    zoomToAll(animate = true) {
      const [west, south, east, north] = this.data.extent;
      this.map.fitBounds([[south, west], [north, east]], { padding: [16, 16], animate });
    }

    /** The row's grid, before and after, is ringed and fills the map. */
    chooseGrid(code) {
      this.ring([...this.data.before, ...this.data.after].filter((f) => f.properties.code === code));
    }

    choosePiece(index) { this.ring([this.data.pieces[index]]); }

    ring(features) {
      if (this.mark) this.map.removeLayer(this.mark);
      if (!features.length) return;
      this.mark = L.geoJSON(features, { interactive: false, style: { fill: false, color: this.data.colours["plan-line"], weight: 4.5, opacity: 0.9 } }).addTo(this.map);
      if (this.mark.getBounds().isValid()) this.map.fitBounds(this.mark.getBounds(), { padding: [60, 60], maxZoom: 17 });
    }
  }

  gridbeat.textWidth = (text) => [...text].reduce((sum, sign) => sum + (sign.codePointAt(0) > 0x2e7f ? 12 : 7), 0);

  gridbeat.startPlan = function (map) {
    try {
      gridbeat.data = JSON.parse(document.getElementById("gridbeat-data").textContent);
      gridbeat.lang = gridbeat.data.lang;
      gridbeat.page = new PlanPage(map, gridbeat.data);
      gridbeat.page.start();
    } catch (fault) {
      gridbeat.fail(fault);
      throw fault;
    }
  };
})(window.gridbeat);
