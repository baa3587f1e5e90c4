"use strict";
/* The grid of a layer: which units, in which order, drawn as plates of 64 or as single tiles. */
const Grid = (() => {
  const { make, place } = Konvolut;
  const grid = document.getElementById("grid");
  const printed = [...grid.childNodes]; // the plates that are there without a script
  const FEW_UNITS = 32; // so few are shown larger, without plates
  const SORTS = {
    index: "number", activation: "activation of the picture", health: "times the best photograph",
    max: "maximum on photographs", mean: "mean on photographs", active: "share of photographs",
  };
  let layer;

  const nameOf = (unit) => layer.names[unit] || ""; // a class, where units are classes
  const top = (unit) => layer.photographs[layer.top[unit]] || ["", "", ""];
  const healthOf = (series, unit) => ({ d: "dead", w: "weak", g: "good" })[series.health[series.slot.get(unit)]] || "";
  const tiles = () => [...grid.querySelectorAll("a")];
  const tileOf = (unit) => grid.querySelector(`#u${unit}`);

  // Units of a series that fit the filter, in the order asked for: largest first, unknown last.
  function arrange(series, sort, filter) {
    const natural = layer.natural[sort] || layer.natural.max || [];
    const value = {
      index: (unit) => -unit,
      activation: (unit) => series.activation[series.slot.get(unit)],
      health: (unit) => series.activation[series.slot.get(unit)] / natural[unit],
    }[sort] || ((unit) => natural[unit]);
    const known = (unit) => { const found = Number(value(unit) ?? -Infinity); return Number.isNaN(found) ? -Infinity : found; };
    const units = series.list.filter((unit) => fits(unit, series, filter.trim().toLowerCase()));
    const keyed = new Map(units.map((unit) => [unit, known(unit)]));
    return units.sort((a, b) => (keyed.get(a) === keyed.get(b) ? a - b : keyed.get(b) - keyed.get(a)));
  }

  // A filter is a number (or layer:number), a photograph, its class, or a state of health.
  function fits(unit, series, words) {
    const number = words.match(/^(?:.*:)?(\d+)$/);
    if (number) return String(unit).startsWith(number[1]);
    return [nameOf(unit), ...top(unit).slice(1), healthOf(series, unit)].join(" ").toLowerCase().includes(words);
  }

  function draw(series, order, natural, size) {
    if (size) grid.style.setProperty("--z", `${size}px`);
    else grid.style.removeProperty("--z");
    const few = Boolean(series) && series.list.length <= FEW_UNITS;
    grid.classList.toggle("flat", (few || !natural) && order.length > 0);
    grid.classList.toggle("few", few);
    grid.replaceChildren(...content(series, order, natural));
    for (const link of tiles()) link.tabIndex = -1;
  }

  function content(series, order, natural) {
    if (!series || (natural && series.prefix === grid.dataset.series)) return printed;
    if (!order.length) return [make("p", { class: "missing" }, "No unit fits the filter.")];
    return natural && series.list.length > FEW_UNITS ? plates(series) : order.map((unit) => tile(series, unit));
  }

  function link(series, unit) {
    const health = healthOf(series, unit);
    const marked = health === "dead" || health === "weak";
    const name = nameOf(unit) || top(unit)[1];
    const words = `Unit ${unit}${name && ": " + name}${marked ? ", " + health : ""}`;
    return make("a", { id: `u${unit}`, href: `#u${unit}`, class: marked ? health[0] : null, "aria-label": words });
  }

  function tile(series, unit) {
    const element = link(series, unit);
    const at = place(series, "plate", series.slot.get(unit));
    const share = (number, count) => `${count > 1 ? (number / (count - 1)) * 100 : 0}%`;
    element.style.background = `url("${at.file}") ${share(at.x, at.n)} ${share(at.y, at.rows)} / ${at.n * 100}% auto`;
    return element;
  }

  function plates(series) {
    const { columns, rows, width, height } = series.sheets.plate;
    const parts = [];
    for (let first = 0; first < series.list.length; first += columns * rows) {
      const units = series.list.slice(first, first + columns * rows);
      const { file, rows: used } = place(series, "plate", first);
      const image = { src: file, alt: "", width: width * columns, height: height * used, loading: first ? "lazy" : null };
      const free = Array.from({ length: used * columns - units.length }, () => make("i"));
      const words = `units ${units[0]}${units.length > 1 ? "–" + units.at(-1) : ""}`;
      parts.push(make("section", { class: "plate" }, make("h2", {}, words),
        make("div", { class: "tiles" }, make("img", image), ...units.map((unit) => link(series, unit)), ...free)));
    }
    return parts;
  }

  // One tab stop: the chosen tile, or the first.
  function mark(unit) {
    const chosen = unit === null ? null : tileOf(unit);
    for (const old of grid.querySelectorAll(".chosen, [tabindex='0']")) {
      old.classList.remove("chosen");
      old.tabIndex = -1;
    }
    chosen?.classList.add("chosen");
    const stop = chosen || tiles()[0];
    if (stop) stop.tabIndex = 0;
    // Opening the panel changes the columns: two frames later the tile lies where it stays.
    if (chosen) requestAnimationFrame(() => requestAnimationFrame(() => {
      const at = chosen.getBoundingClientRect();
      if (at.top < 60 || at.bottom > innerHeight) chosen.scrollIntoView({ block: "center" });
    }));
  }

  // The tile next to `from` in a direction, also across the gutter between plates.
  function beside(from, dx, dy) {
    const a = from.getBoundingClientRect();
    const measured = tiles().map((other) => {
      const b = other.getBoundingClientRect();
      const along = dx ? (b.left - a.left) * dx : (b.top - a.top) * dy;
      const aside = Math.abs(dx ? b.top - a.top : b.left - a.left);
      return [along > 4 && aside < a.width ? along + 3 * aside : Infinity, other];
    });
    const [distance, best] = measured.reduce((a, b) => (b[0] < a[0] ? b : a), [Infinity, null]);
    return distance < Infinity ? best : null;
  }

  function begin(columns) {
    layer = columns;
    grid.classList.add("alive");
  }

  return { SORTS, element: grid, begin, arrange, draw, mark, beside, top, nameOf, tileOf };
})();
