// What the pages share on the map itself: controls, tiles, patterns, layers that a page paints on a canvas of its own.
"use strict";

(function (gridbeat) {
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);

  /** How much larger than on a desk everything is drawn: 1 up to a common screen, more on a wall. The style sheet reads --big. */
  gridbeat.bigness = () => Math.max(1, Math.min(2.6, window.innerWidth / 1700));

  /** Zoom, whole area and scale at the lower right, the tiles of a basemap with their approval. */
  gridbeat.furnish = function (map, zoomToAll) {
    map.options.zoomSnap = 0.25; // there are no tiles to keep to whole zooms
    L.control.zoom({ position: "bottomright", zoomInTitle: word("zoom.in"), zoomOutTitle: word("zoom.out") }).addTo(map);
    wholeControl(zoomToAll).addTo(map);
    L.control.scale({ imperial: false, position: "bottomright", maxWidth: 140 * gridbeat.bigness() }).addTo(map);
    tiles(map, gridbeat.data.basemap);
  };

  /** A button below plus and minus that goes back to the whole area. */
  function wholeControl(zoomToAll) {
    const control = L.control({ position: "bottomright" });
    control.onAdd = () => {
      const said = word("zoom.all");
      const button = make("a", { href: "#", role: "button", id: "whole", title: said, "aria-label": said });
      L.DomEvent.on(button, "click", (event) => { L.DomEvent.stop(event); zoomToAll(); });
      return make("div", { class: "leaflet-bar leaflet-control" }, button);
    };
    return control;
  }

  function tiles(map, b) {
    if (!b) return;
    map.options.zoomSnap = 1;
    L.tileLayer(b.url, { maxZoom: b.max_zoom }).addTo(map);
    const said = make("i", {}, b.attribution + " " + word("approval", { number: b.approval }));
    L.control.attribution({ prefix: false, position: "bottomleft" }).addTo(map).addAttribution(said.innerHTML);
  }

  /** A page without grids says how to load some. */
  gridbeat.sayEmpty = function () {
    document.body.append(make("main", { class: "state state-empty" },
      make("h1", {}, word("empty")), make("p", {}, word("empty.what")),
      make("pre", {}, "gridbeat check FILE\ngridbeat load grids FILE --layer general --commit"),
      make("p", {}, word("empty.then"))));
  };

  // ------------------------------------------------------------------ patterns
  const STROKES = {
    slashes: (c, n) => { for (const d of [-n, 0, n]) { c.moveTo(d - 1, n + 1); c.lineTo(d + n + 1, -1); } },
    bars: (c, n) => { c.moveTo(-1, n / 2); c.lineTo(n + 1, n / 2); },
    crosses: (c, n) => { c.moveTo(n * 0.25, n * 0.25); c.lineTo(n * 0.75, n * 0.75); c.moveTo(n * 0.75, n * 0.25); c.lineTo(n * 0.25, n * 0.75); },
  };

  /** A fill of one colour (null: none) with marks in another: slashes, bars or crosses. */
  gridbeat.pattern = function (kind, ground, colour, { size = 9, width = 1.3, alpha = 1 } = {}) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = Math.round(size);
    const c = tile.getContext("2d"), n = tile.width;
    if (ground) { c.fillStyle = ground; c.fillRect(0, 0, n, n); }
    c.strokeStyle = colour; c.lineWidth = width * (n / 9); c.globalAlpha = alpha;
    c.beginPath();
    STROKES[kind](c, n);
    c.stroke();
    return c.createPattern(tile, "repeat");
  };

  // ------------------------------------------------------------------ places on the screen
  function ringsOf(feature) {
    const g = feature.geometry;
    return (g.type === "Polygon" ? [g.coordinates] : g.coordinates).flat();
  }

  /** For display only: does a drawn shape cover the place that was clicked? Even-odd over all rings. */
  gridbeat.drawnOver = function (feature, at) {
    if (!feature.box) feature.box = L.geoJSON(feature).getBounds();
    if (!feature.box.contains(at)) return false;
    let odd = false;
    for (const ring of ringsOf(feature)) {
      for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
        const [xi, yi] = ring[i], [xj, yj] = ring[j];
        if (yi > at.lat !== yj > at.lat && at.lng < ((xj - xi) * (at.lat - yi)) / (yj - yi) + xi) odd = !odd;
      }
    }
    return odd;
  };

  /** Pixels that a degree north spans in the middle of the view. */
  gridbeat.pixelsPerDegree = function (map) {
    const centre = map.getCenter();
    return Math.abs(map.latLngToLayerPoint([centre.lat + 0.01, centre.lng]).y - map.latLngToLayerPoint(centre).y) / 0.01;
  };

  /** A place in the pixels of zoom 0, to be scaled by `frame.pixel`: projected once, not with every picture. */
  gridbeat.project = (lon, lat) => L.CRS.EPSG3857.latLngToPoint(L.latLng(lat, lon), 0);

  /**
   * A layer that `paint(context, frame)` draws on a canvas over the view, again whenever the map has moved, or on `redraw()`.
   * `frame` has `size`, `big`, and `pixel(x, y)`: where a projected place stands on the canvas.
   */
  gridbeat.canvasLayer = function (map, name, zIndex, paint) {
    const pane = map.createPane(name);
    pane.style.zIndex = zIndex;
    pane.style.pointerEvents = "none";
    const canvas = make("canvas", { class: "own-canvas", "aria-hidden": "true" });
    pane.append(canvas);
    let zooming = false;
    const layer = {
      redraw() {
        if (zooming) return;
        const size = map.getSize(), ratio = window.devicePixelRatio || 1;
        const corner = map.containerPointToLayerPoint([0, 0]);
        L.DomUtil.setPosition(canvas, corner);
        if (canvas.width !== Math.round(size.x * ratio) || canvas.height !== Math.round(size.y * ratio)) {
          canvas.width = Math.round(size.x * ratio);
          canvas.height = Math.round(size.y * ratio);
          canvas.style.width = size.x + "px";
          canvas.style.height = size.y + "px";
        }
        const c = canvas.getContext("2d");
        c.setTransform(ratio, 0, 0, ratio, 0, 0);
        c.clearRect(0, 0, size.x, size.y);
        paint(c, layer.frame());
      },
      /** Where things stand now. */
      frame() {
        const scale = map.getZoomScale(map.getZoom(), 0), origin = map.getPixelOrigin().add(map.containerPointToLayerPoint([0, 0]));
        return { size: map.getSize(), big: gridbeat.bigness(), scale, pixel: (x, y) => [x * scale - origin.x, y * scale - origin.y] };
      },
    };
    map.on("zoomstart", () => { zooming = true; canvas.style.visibility = "hidden"; });
    map.on("moveend resize", () => { zooming = false; canvas.style.visibility = ""; layer.redraw(); });
    return layer;
  };

  /** A text with a halo, its middle at (x, y). */
  gridbeat.haloText = function (c, text, x, y, font, ink, halo, width) {
    c.font = font; c.textAlign = "center"; c.textBaseline = "middle"; c.lineJoin = "round";
    c.strokeStyle = halo; c.lineWidth = width;
    c.strokeText(text, x, y);
    c.fillStyle = ink;
    c.fillText(text, x, y);
  };
})(window.gridbeat);
