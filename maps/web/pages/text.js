// Words and small DOM helpers. Every text goes in as textContent or as an attribute, never as HTML.
"use strict";
window.gridbeat = window.gridbeat || {};

(function (gridbeat) {
  gridbeat.data = null;
  gridbeat.lang = "zh";

  /** The message `key` in the reader's language, {names} filled; for an unknown key its last part. */
  gridbeat.word = function (key, values) {
    const text = gridbeat.data.words[gridbeat.lang][key];
    if (text === undefined) return key.slice(key.indexOf(".") + 1);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? String(values[name]) : whole));
  };

  gridbeat.number = function (value) {
    return Number(value).toLocaleString(gridbeat.lang === "zh" ? "zh-CN" : "en-GB");
  };

  /** An area as people read it: m2 below one hectare, else km2 with two decimals. */
  gridbeat.area = function (m2) {
    if (m2 === null || m2 === undefined) return gridbeat.word("card.unknown");
    return m2 < 10000 ? gridbeat.number(Math.round(m2)) + " m²" : gridbeat.number((m2 / 1e6).toFixed(2)) + " km²";
  };

  /** An element: attributes (on... are listeners), then children; strings become text nodes. */
  gridbeat.element = function (tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) made.append(child);
    }
    return made;
  };

  /** A page that could not be drawn says so, with the reason, instead of staying blank. */
  gridbeat.fail = function (reason) {
    const lang = gridbeat.data ? gridbeat.lang : "zh";
    const say = (key, spare) => (gridbeat.data ? gridbeat.data.words[lang][key] : spare);
    const make = gridbeat.element;
    document.body.append(
      make("main", { class: "state state-error", role: "alert" },
        make("h1", {}, say("error", "地图画不出来 · The map could not be drawn")),
        make("p", {}, say("error.what", "")),
        make("p", {}, make("code", {}, String(reason)))));
  };
})(window.gridbeat);
