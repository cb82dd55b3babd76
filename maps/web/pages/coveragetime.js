// The tracks of a day: a time bar, members' dots on the known pieces of their way, gaps that are never joined.
"use strict";

(function (gridbeat) {
  const make = gridbeat.element;
  const word = (key, values) => gridbeat.word(key, values);
  const TRAIL_S = 30 * 60; // so much of the way behind a dot is drawn
  const LOST_S = 30 * 60; // so long after the last fix the last known place is shown
  const SPEEDS = [2, 10, 30]; // minutes of the day in a second
  const MICRO = 1e6;

  /** A piece as seconds and projected places; it came as steps of whole seconds and millionths of a degree. */
  function unpacked(steps) {
    const n = steps.length / 3, t = new Float64Array(n), x = new Float64Array(n), y = new Float64Array(n);
    let at = 0, lon = 0, lat = 0;
    for (let i = 0; i < n; i++) {
      at += steps[3 * i]; lon += steps[3 * i + 1]; lat += steps[3 * i + 2];
      const p = gridbeat.project(lon / MICRO, lat / MICRO);
      t[i] = at; x[i] = p.x; y[i] = p.y;
    }
    return { t, x, y };
  }

  /** The last i with t[i] <= at; -1 before the first. */
  function before(t, at) {
    let low = 0, high = t.length;
    while (low < high) { const middle = (low + high) >> 1; if (t[middle] <= at) low = middle + 1; else high = middle; }
    return low - 1;
  }

  /** Where a member is at a second of the day: {x, y, known, since}; null where nothing is known and has not been for a while. */
  function placeAt(track, at) {
    let last = null;
    for (const piece of track.pieces) {
      const i = before(piece.t, at);
      if (i < 0) break;
      if (i + 1 < piece.t.length) {
        const share = (at - piece.t[i]) / Math.max(piece.t[i + 1] - piece.t[i], 1e-9);
        return { x: piece.x[i] + share * (piece.x[i + 1] - piece.x[i]), y: piece.y[i] + share * (piece.y[i + 1] - piece.y[i]), known: true, since: at };
      }
      last = { x: piece.x[i], y: piece.y[i], known: piece.t[i] === at, since: piece.t[i] };
    }
    return last && at - last.since <= LOST_S ? last : null;
  }

  gridbeat.clock = function (seconds) {
    const minutes = Math.floor(seconds / 60);
    return String(Math.floor(minutes / 60)).padStart(2, "0") + ":" + String(minutes % 60).padStart(2, "0");
  };

  class Time {
    constructor(page) {
      this.page = page;
      const day = gridbeat.data.day;
      this.tracks = day.tracks.map((one) => ({ ...one, pieces: one.pieces.map(unpacked) })).filter((one) => one.pieces.length);
      const ends = this.tracks.flatMap((one) => one.pieces.map((p) => [p.t[0], p.t[p.t.length - 1]]));
      this.begin = Math.floor(Math.min(...ends.map((e) => e[0])) / 60) * 60;
      this.end = Math.ceil(Math.max(...ends.map((e) => e[1])) / 60) * 60;
      const now = day.now;
      this.at = now >= this.begin && now <= this.end + LOST_S ? Math.min(now, this.end) : this.busiest();
      this.speed = SPEEDS[1];
      this.playing = false;
      this.dots = [];
      if (this.tracks.length) this.layer = gridbeat.canvasLayer(page.map, "tracks", 615, (c, frame) => this.paint(c, frame));
    }

    /** Of every ten minutes one in which the position of most members is known. */
    busiest() {
      let most = -1, found = [];
      for (let at = this.begin; at <= this.end; at += 600) {
        const known = this.tracks.filter((one) => (placeAt(one, at) || { known: false }).known).length;
        if (known > most) { most = known; found = []; }
        if (known === most) found.push(at);
      }
      return found.length ? found[found.length >> 1] : this.begin;
    }

    /** The time of day is set: dots, trail and texts follow. */
    set(at) {
      this.at = Math.max(this.begin, Math.min(this.end, at));
      if (this.layer) this.layer.redraw();
      const slider = document.getElementById("slider");
      if (!slider) return;
      slider.value = Math.round(this.at / 60);
      const known = this.dots.filter((d) => d[3].known).length;
      document.getElementById("clock").textContent = gridbeat.clock(this.at);
      document.getElementById("count").textContent = word("coverage.time.count", { known, lost: this.dots.length - known });
      slider.setAttribute("aria-valuetext", gridbeat.clock(this.at));
      const said = document.getElementById("member-at");
      if (said && this.chosen) said.textContent = this.said(this.chosen);
    }

    play(on) {
      this.playing = on;
      if (on && this.at >= this.end) this.at = this.begin;
      let last = null;
      const step = (now) => {
        if (!this.playing) return;
        if (last !== null) this.set(this.at + ((now - last) / 1000) * this.speed * 60);
        last = now;
        if (this.at >= this.end) this.play(false);
        else requestAnimationFrame(step);
      };
      if (on) requestAnimationFrame(step);
      gridbeat.labelPlay(this);
    }

    // ------------------------------------------------------------------ drawing
    paint(c, frame) {
      const colours = gridbeat.data.colours, big = frame.big;
      this.dots = [];
      c.lineJoin = c.lineCap = "round";
      for (const [colour, width, alpha] of [[colours.halo, 4.6, 0.7], [colours.track, 2, 0.9]]) {
        c.strokeStyle = colour; c.lineWidth = width * big * Math.max(0.5, this.page.smallness()); c.globalAlpha = alpha;
        c.beginPath();
        for (const track of this.tracks) this.trail(c, frame, track, this.at - TRAIL_S, this.at);
        c.stroke();
      }
      c.globalAlpha = 1;
      if (this.chosen) this.wholeDay(c, frame);
      for (const track of this.tracks) this.dot(c, frame, track);
    }

    /** The known way between two times of day: no line from one piece to the next. */
    trail(c, frame, track, from, to) {
      for (const piece of track.pieces) {
        if (piece.t[0] > to || piece.t[piece.t.length - 1] < from) continue;
        const first = Math.max(before(piece.t, from), 0), last = before(piece.t, to);
        for (let i = first; i <= last; i++) {
          const [x, y] = frame.pixel(piece.x[i], piece.y[i]);
          if (i === first) c.moveTo(x, y); else c.lineTo(x, y);
        }
        const here = last + 1 < piece.t.length ? placeAt({ pieces: [piece] }, to) : null;
        if (here) c.lineTo(...frame.pixel(here.x, here.y));
      }
    }

    wholeDay(c, frame) {
      c.strokeStyle = gridbeat.data.colours["track-dot"]; c.lineWidth = 2.6 * frame.big; c.globalAlpha = 0.85;
      c.beginPath();
      this.trail(c, frame, this.chosen, this.begin, this.end);
      c.stroke();
      c.globalAlpha = 1;
    }

    dot(c, frame, track) {
      const here = placeAt(track, this.at);
      if (!here) return;
      const [x, y] = frame.pixel(here.x, here.y), colours = gridbeat.data.colours;
      if (x < -20 || y < -20 || x > frame.size.x + 20 || y > frame.size.y + 20) { this.dots.push([track, x, y, here]); return; }
      const small = Math.max(0.5, this.page.smallness()), r = (track === this.chosen ? 8 : 5.2 * small) * frame.big;
      c.beginPath(); c.arc(x, y, r, 0, 2 * Math.PI);
      c.fillStyle = here.known ? colours["track-dot"] : colours["track-lost"];
      c.strokeStyle = here.known ? colours.halo : colours["track-dot"];
      c.lineWidth = (here.known ? 1.6 : 2.2) * frame.big * small;
      c.fill(); c.stroke();
      this.dots.push([track, x, y, here]);
    }

    // ------------------------------------------------------------------ choosing
    memberAt(p, reach) { return gridbeat.nearest(this.dots, p, reach); }

    said(track) {
      const here = placeAt(track, this.at);
      if (!here) return word("coverage.time.lost", { time: gridbeat.clock(lastKnown(track, this.at)) });
      return word(here.known ? "coverage.time.known" : "coverage.time.lost", { time: gridbeat.clock(here.since) });
    }

    choose(track, fly) {
      this.page.unchoose();
      this.page.chosen = () => this.choose(track);
      this.chosen = track;
      document.getElementById("member").value = track.member;
      this.set(this.at);
      const here = placeAt(track, this.at) || { x: track.pieces[0].x[0], y: track.pieces[0].y[0] };
      if (fly) this.page.flyTo(L.CRS.EPSG3857.pointToLatLng(L.point(here.x, here.y), 0));
      gridbeat.memberCard(this.page, track, this.said(track)).focus({ preventScroll: true });
    }

    unchoose() {
      if (!this.chosen) return;
      this.chosen = null;
      document.getElementById("member").value = "";
      this.layer.redraw();
    }
  }

  /** The last second up to `at` at which a place is known; the first one known where it is none. */
  function lastKnown(track, at) {
    const known = track.pieces.flatMap((piece) => { const i = before(piece.t, at); return i < 0 ? [] : [piece.t[i]]; });
    return known.length ? known[known.length - 1] : track.pieces[0].t[0];
  }

  gridbeat.startTime = function (page) {
    const time = new Time(page);
    page.time = time;
    gridbeat.buildTimeBar(page);
    page.fitFrame();
    return time;
  };

  // ------------------------------------------------------------------ the bar
  gridbeat.buildTimeBar = function (page) {
    const old = document.getElementById("timebar"), time = page.time;
    if (old) old.remove();
    if (!time || !time.tracks.length) return;
    const option = (value, text, chosen) => make("option", { value, selected: chosen }, text);
    const members = [...time.tracks].sort((a, b) => a.name.localeCompare(b.name, "zh"));
    const byCode = new Map(time.tracks.map((one) => [one.member, one]));
    const bar = make("section", { id: "timebar", "aria-label": word("coverage.time", { date: gridbeat.data.day.date }) },
      make("button", { type: "button", id: "play", onclick: () => time.play(!time.playing) }),
      make("output", { id: "clock", for: "slider" }),
      make("input", { type: "range", id: "slider", min: time.begin / 60, max: time.end / 60, step: 1, "aria-label": word("coverage.time.slider"),
        oninput: (event) => { time.playing = false; gridbeat.labelPlay(time); time.set(event.target.value * 60); } }),
      make("select", { id: "speed", "aria-label": word("coverage.time.speed"), onchange: (event) => { time.speed = Number(event.target.value); } },
        SPEEDS.map((n) => option(n, word("coverage.time.minutes", { n }), n === time.speed))),
      make("select", { id: "member", "aria-label": word("coverage.time.member"),
        onchange: (event) => (event.target.value ? time.choose(byCode.get(event.target.value), true) : page.unchoose()) },
      option("", word("coverage.time.everybody", { n: gridbeat.number(members.length) })),
      members.map((one) => option(one.member, one.name))),
      make("p", { class: "quiet key" }, make("span", { id: "tracks-of" }, word("coverage.time", { date: gridbeat.data.day.date })),
        make("span", { id: "count" }), make("i", { class: "dot" }), word("coverage.time.dot"), make("i", { class: "dot hollow" }), word("coverage.time.hollow"),
        make("i", { class: "trail" }), word("coverage.time.trail", { n: TRAIL_S / 60 })));
    document.body.append(bar);
    gridbeat.labelPlay(time);
    time.set(time.at);
  };

  gridbeat.labelPlay = function (time) {
    const button = document.getElementById("play");
    if (!button) return;
    button.className = time.playing ? "playing" : "";
    button.setAttribute("aria-label", word(time.playing ? "coverage.time.pause" : "coverage.time.play"));
    button.title = button.getAttribute("aria-label");
  };
})(window.gridbeat);
