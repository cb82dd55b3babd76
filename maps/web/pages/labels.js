// Which badge, code and name stands where: greedy placement without collisions. Counts are never hidden:
// where grids are too small on the screen for one badge each, badges are summed by community (or by screen square).
"use strict";

(function (gridbeat) {
  const BADGE_HEIGHT = 20;
  const LINE = 15;
  const SMALLEST_GRID_PX = 12; // a grid narrower than this has no room for its own badge
  const ENOUGH = 0.75; // this share of a community's grids must have room, else they are summed
  const MOSTLY = 0.5; // with fewer grids than this share that have room, every community is summed
  const MERGE_PX = 64;
  const measure = document.createElement("canvas").getContext("2d");

  function textWidth(text, weight, size) {
    measure.font = weight + " " + size + "px " + getComputedStyle(document.body).fontFamily;
    return measure.measureText(text).width;
  }

  /** Boxes already taken, in a coarse screen lattice. */
  class Taken {
    constructor() { this.squares = new Map(); }
    keys(box) {
      const found = [];
      for (let x = Math.floor(box[0] / 96); x <= Math.floor(box[2] / 96); x++) {
        for (let y = Math.floor(box[1] / 96); y <= Math.floor(box[3] / 96); y++) found.push(x + ":" + y);
      }
      return found;
    }
    free(box) {
      return this.keys(box).every((key) => (this.squares.get(key) || []).every((b) =>
        b[2] <= box[0] || b[0] >= box[2] || b[3] <= box[1] || b[1] >= box[3]));
    }
    add(box) {
      for (const key of this.keys(box)) {
        if (!this.squares.has(key)) this.squares.set(key, []);
        this.squares.get(key).push(box);
      }
    }
  }

  function around(x, y, width, height) {
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
  }

  function median(numbers) {
    const sorted = numbers.slice().sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
  }

  /** Radius in pixels of the circle that fits into the typical grid at this zoom. */
  gridbeat.typicalRadius = function (map, features) {
    return median(features.map((f) => f.properties.radius)) * gridbeat.pixelsPerDegree(map);
  };

  /**
   * The units that badges stand for at this zoom: {key, name, n, point, radius, feature?}, sums exact.
   * A community whose grids are mostly too small for badges of their own gets one sum; its neighbours keep single ones.
   */
  gridbeat.badgeUnits = function (map, features, outlines) {
    const perDegree = gridbeat.pixelsPerDegree(map);
    const roomy = (feature) => feature.properties.radius * perDegree >= SMALLEST_GRID_PX;
    const summed = summedByAncestor(features, outlines, roomy);
    if (summed) return summed;
    if (gridbeat.typicalRadius(map, features) >= SMALLEST_GRID_PX) return { by: "grid", units: features.map(gridUnit) };
    return { by: "square", units: summedBySquare(map, features) };
  };

  function gridUnit(feature) {
    const p = feature.properties;
    return { key: p.code, name: p.name, n: p.n, point: p.point, radius: p.radius, feature };
  }

  function summedByAncestor(features, outlines, roomy) {
    const byCode = new Map(outlines.map((f) => [f.properties.code, f]));
    const single = features.filter(roomy).length >= features.length * MOSTLY; // else a mixture would only confuse
    for (const level of ["community", "subdistrict", "district"]) {
      const members = outlines.filter((f) => f.properties.level === level);
      if (!members.length || members.filter(roomy).length < members.length * ENOUGH) continue;
      const under = new Map(members.map((f) => [f.properties.code, []]));
      const units = [];
      for (const feature of features) {
        let up = byCode.get(feature.properties.parent);
        while (up && up.properties.level !== level) up = byCode.get(up.properties.parent);
        // A dedicated grid over several communities, or one with room, keeps its own badge.
        const own = feature.properties.layer === "dedicated" && roomy(feature);
        if (up && !own) under.get(up.properties.code).push(feature);
        else units.push(gridUnit(feature));
      }
      for (const [code, held] of under) {
        if (single && held.filter(roomy).length >= held.length * ENOUGH) units.push(...held.map(gridUnit));
        else units.push(areaUnit(byCode.get(code), held));
      }
      return { by: units.every((unit) => unit.feature) ? "grid" : level, units };
    }
    return null;
  }

  function areaUnit(feature, held) {
    const p = feature.properties;
    return { key: p.code, name: p.name, n: held.reduce((sum, f) => sum + f.properties.n, 0), point: p.point, radius: p.radius, area: feature };
  }

  function summedBySquare(map, features) {
    const squares = new Map();
    for (const feature of features) {
      const p = feature.properties;
      if (!p.n) continue;
      const at = map.project([p.point[1], p.point[0]]);
      const key = Math.floor(at.x / MERGE_PX) + ":" + Math.floor(at.y / MERGE_PX);
      if (!squares.has(key)) squares.set(key, { key, n: 0, grids: 0, x: 0, y: 0, radius: 0, features: [] });
      const unit = squares.get(key);
      unit.n += p.n; unit.grids += 1; unit.x += p.point[0]; unit.y += p.point[1]; unit.features.push(feature);
    }
    return [...squares.values()].map((u) => Object.assign(u, {
      point: [u.x / u.grids, u.y / u.grids], name: gridbeat.word("badge.several", { grids: u.grids }),
    }));
  }

  function shortName(p, outlines) {
    const parent = outlines.get(p.parent);
    const name = p.name === p.code ? "" : p.name;
    return parent && name.startsWith(parent) && name.length > parent.length ? name.slice(parent.length) : name;
  }

  /** Everything to draw in the present view: [{kind, x, y, unit, code, name}] with no two texts over each other. */
  gridbeat.placeLabels = function (map, show) {
    const data = gridbeat.data;
    const features = data.grids.features.filter((f) => show.layers.has(f.properties.layer));
    const names = new Map(data.outlines.features.map((f) => [f.properties.code, f.properties.name]));
    const view = map.getSize();
    const perDegree = gridbeat.pixelsPerDegree(map);
    const found = gridbeat.badgeUnits(map, features, data.outlines.features);
    const seen = (item) => item.x > -40 && item.y > -20 && item.x < view.x + 40 && item.y < view.y + 20;
    const items = found.units.map((unit) => {
      const at = map.latLngToContainerPoint([unit.point[1], unit.point[0]]);
      return { unit, x: at.x, y: at.y, room: unit.radius * perDegree, by: found.by };
    }).filter(seen);
    const taken = new Taken();
    const counted = show.reports ? items.filter((i) => i.unit.n > 0).sort(dedicatedFirst) : [];
    for (const item of counted) placeBadge(item, taken);
    if (show.labels) {
      const areas = areaNames(map, found, perDegree, taken, show, codeBoxes(counted)).filter(seen);
      for (const item of counted) addText(item, names, taken, true);
      const plain = items.filter((i) => !counted.includes(i)).sort((a, b) => b.room - a.room);
      for (const item of plain) addText(item, names, taken, false);
      return { by: found.by, taken, items: [...areas, ...counted, ...plain.filter((i) => i.code || i.name)] };
    }
    return { by: found.by, taken, items: counted };
  };

  /** A place for a count at or near `at`: where two anchors fall together the later badge steps aside, it is never left out. */
  gridbeat.stepAside = function (at, n, taken) {
    const width = Math.max(22, textWidth(gridbeat.number(n), "700", 12) + 13);
    // Small steps only: a badge that stands in a neighbour would say something false.
    for (const [dx, dy] of [[0, 0], [0, 12], [0, -12], [width / 2, 0], [-width / 2, 0], [0, 22], [0, -22], [width, 0], [-width, 0]]) {
      const box = around(at.x + dx, at.y + dy, width + 2, BADGE_HEIGHT + 2);
      if (!taken.free(box)) continue;
      taken.add(box);
      return { x: at.x + dx, y: at.y + dy };
    }
    return { x: at.x, y: at.y };
  };

  function dedicatedFirst(a, b) {
    const rank = (item) => (item.unit.feature && item.unit.feature.properties.layer === "dedicated" ? 0 : 1);
    return rank(a) - rank(b) || b.unit.n - a.unit.n;
  }

  function placeBadge(item, taken) {
    item.kind = item.unit.feature ? "grid" : "area";
    item.badge = true;
    Object.assign(item, gridbeat.stepAside(item, item.unit.n, taken));
  }

  /** Where the codes below badges will want to stand: names of communities keep off. */
  function codeBoxes(counted) {
    const wanted = new Taken();
    for (const item of counted) wanted.add(around(item.x, item.y + BADGE_HEIGHT / 2 + 1 + LINE / 2, 26, LINE));
    return wanted;
  }

  function areaNames(map, found, perDegree, taken, show, codes) {
    if (found.by === "square") return [];
    const summed = new Set(found.units.map((unit) => unit.key));
    const placed = [];
    for (const feature of gridbeat.data.outlines.features) {
      const p = feature.properties;
      if (summed.has(p.code) || !show.levels.has(p.level) || p.level !== "community") continue;
      const room = p.radius * perDegree;
      const width = textWidth(p.name, "700", 15) + 3 * p.name.length + 8;
      if (width > room * 3) continue;
      const at = map.latLngToContainerPoint([p.point[1], p.point[0]]);
      for (const dy of [0, -26, 26, -44, 44, -62, 62, -84, 84]) {
        const box = around(at.x, at.y + dy, width, 24);
        if (Math.abs(dy) > room || !taken.free(box) || !codes.free(box)) continue;
        taken.add(box);
        placed.push({ kind: "name", x: at.x, y: at.y + dy, name: p.name, unit: { key: p.code, name: p.name } });
        break;
      }
    }
    return placed;
  }

  function addText(item, names, taken, below) {
    item.kind = item.kind || (item.unit.feature ? "grid" : "area");
    if (item.by === "square") return;
    const p = (item.unit.feature || item.unit.area).properties;
    const code = item.unit.feature ? p.short : "";
    const name = item.unit.feature ? shortName(p, names) : p.name;
    const both = name && code ? [[code, name]] : [];
    // A dedicated grid is known by its name, a general one by its number.
    const single = p.layer === "dedicated" && name ? [["", name], [code, ""]] : [[code, ""], ["", item.unit.feature ? "" : name]];
    for (const [c, n] of [...both, ...single]) {
      if (!c && !n) continue;
      const width = Math.max(textWidth(c, "600", 12), textWidth(n, "400", 12)) + 6;
      const height = (c ? LINE : 0) + (n ? LINE : 0);
      const wide = item.unit.feature && p.layer !== "dedicated" ? 2.1 : 6;
      if (width > item.room * wide || height > item.room * 2.2) continue;
      const y = below ? item.y + BADGE_HEIGHT / 2 + 1 + height / 2 : item.y;
      const box = around(item.x, y, width, height);
      if (!taken.free(box)) continue;
      taken.add(box);
      item.code = c; item.name = n;
      return;
    }
  }
})(window.gridbeat);
