/* The grid of a layer: which units, in which order, drawn as plates of 64 or as single tiles. */
/* Of many single tiles only those near the screen are made: the others are room above and below. */
const Grid = (() => {
  const { make, place } = Konvolut;
  const grid = document.getElementById("grid");
  const panel = document.getElementById("panel");
  const printed = [...grid.childNodes]; // the plates that are there without a script
  const FEW_UNITS = 32; // so few are shown larger, without plates
  const WHOLE_UP_TO = 512; // single tiles; 2,048 of them would take 150 ms and load every sheet of the layer
  const ROWS_AHEAD = 6; // made beyond the screen, so that a turn of the wheel finds them there
  const SORTS = {
    index: "number", activation: "activation", health: "health", similar: "similarity",
    selectivity: "selectivity", max: "maximum", mean: "mean", active: "active on",
  }; // the words of the panel, short enough for the list
  const VERDICTS = "dw-g"; // from the worst to the best; without photographs only the dead are told from the others
  const { sheet } = document.head.appendChild(make("style"));
  const rules = {}; // the class of each plate
  let layer;
  let stars = {}; // what the reader kept, see notes.js
  let marked = null; // the unit whose tile is the chosen one
  let width = 0; // of the grid, when it was last measured
  let rolled = null; // { series, order, columns, side, first, last }: rows first to last - 1 are made

  const nameOf = (unit) => layer.names[unit] || ""; // a class, where units are classes
  const top = (unit) => layer.photographs[layer.top[unit]] || ["", "", ""];
  const called = (unit) => nameOf(unit) || (top(unit)[1] && `best: ${top(unit)[1]}`); // a photograph is not what it means
  const healthOf = (series, unit) => ({ d: "dead", w: "weak", g: "good" })[series.health[series.slot.get(unit)]] || "";
  const tiles = () => [...grid.querySelectorAll("a")];
  const tileOf = (unit) => grid.querySelector(`#u${unit}`);

  // Units of a series that fit the filter, in the order asked for: largest first, unknown last.
  function arrange(series, sort, filter) {
    if (filter) stars = Notes.all();
    const natural = layer.natural[sort] || layer.natural.max || [];
    const value = {
      index: (unit) => -unit,
      activation: (unit) => series.activation[series.slot.get(unit)],
      similar: (unit) => -layer.similar[unit],
      health: (unit) => beyond(series, unit),
    }[sort] || ((unit) => natural[unit]);
    const known = (unit) => { const found = value(unit) ?? NaN; return Number.isNaN(found) ? -Infinity : found; };
    const words = filter.trim().toLowerCase();
    const units = words ? series.list.filter((unit) => fits(unit, series, words)) : series.list;
    const verdict = (unit) => (sort === "health" ? VERDICTS.indexOf(series.health[series.slot.get(unit)] ?? "-") : 0);
    const keyed = units.map((unit) => [unit, verdict(unit), known(unit)]);
    // Of two that are both unknown the difference is not a number: their own numbers decide.
    return keyed.sort((a, b) => b[1] - a[1] || b[2] - a[2] || a[0] - b[0]).map(([unit]) => unit);
  }

  // Standard deviations above the photographs: a quotient by the best one turns over where its maximum is not above 0.
  function beyond(series, unit) {
    const { mean, std } = layer.natural;
    const reached = series.activation[series.slot.get(unit)];
    const above = !mean || !std ? reached : std[unit] > 0 ? (reached - mean[unit]) / std[unit] : NaN;
    return series.technique === "negative" ? -above : above;
  }

  const sortable = (sort) => ["index", "activation", "health"].includes(sort) || Boolean(sort === "similar" ? layer.similar.length : layer.natural[sort]);

  // A filter is a number (or layer:number), a photograph, its class, or a state of health.
  function fits(unit, series, words) {
    const number = words.match(/^(?:.*:)?(\d+)$/);
    if (number) return String(unit).startsWith(number[1]);
    const star = stars[Notes.citation(layer.again, unit)] ? "starred noted" : "";
    return [nameOf(unit), ...top(unit).slice(1), healthOf(series, unit), star].join(" ").toLowerCase().includes(words);
  }

  function draw(series, order, natural, size) {
    const [room, top] = [grid.clientWidth, grid.getBoundingClientRect().top]; // before anything moves: no layout for it
    if (size) grid.style.setProperty("--z", `${size}px`);
    else grid.style.removeProperty("--z");
    const few = Boolean(series) && series.list.length <= FEW_UNITS;
    grid.classList.toggle("flat", (few || !natural) && order.length > 0);
    grid.classList.toggle("few", few);
    grid.style.padding = "";
    rolled = !natural && order.length > WHOLE_UP_TO ? { series, order } : null;
    if (rolled) return cut(room, top);
    const parts = content(series, order, natural);
    if (parts !== printed || grid.firstChild !== printed[0]) grid.replaceChildren(...parts);
    for (const link of tiles()) link.tabIndex = -1;
  }

  function content(series, order, natural) {
    if (!series || (natural && series.prefix === grid.dataset.series)) return printed;
    if (!order.length) return [make("p", { class: "missing" }, "No unit fits the filter.")];
    return natural && series.list.length > FEW_UNITS ? plates(series) : order.map((unit) => tile(series, unit));
  }

  // How many tiles lie in a row, and how large they are; again when the panel opens or the window changes.
  function cut(room, top) {
    rolled.columns = Math.max(1, Math.floor(room / usual()));
    rolled.side = room / rolled.columns;
    rolled.first = rolled.last = -1;
    roll(top, 0); // what lies ahead comes with the first turn of the wheel
  }

  const usual = () => parseFloat(getComputedStyle(grid).getPropertyValue("--z"));

  function roll(top, ahead = ROWS_AHEAD) {
    if (!rolled) return;
    const { order, columns, side } = rolled;
    const rows = Math.ceil(order.length / columns);
    const above = -(top ?? grid.getBoundingClientRect().top) / side;
    const seen = [Math.max(0, Math.floor(above)), Math.min(rows, Math.ceil(above + innerHeight / side))];
    if (seen[0] >= rolled.first && seen[1] <= rolled.last && rolled.last > 0) return;
    made(Math.max(0, Math.min(seen[0], rows) - ahead), Math.min(rows, Math.max(0, seen[1]) + ahead), rows);
  }

  function made(first, last, rows) {
    const { series, order, columns, side } = rolled;
    const focused = grid.contains(document.activeElement) && document.activeElement.id;
    Object.assign(rolled, { first, last });
    grid.style.padding = `${first * side}px 0 ${(rows - last) * side}px`;
    grid.replaceChildren(...order.slice(first * columns, last * columns).map((unit) => tile(series, unit)));
    for (const link of tiles()) link.tabIndex = -1;
    const chosen = tileOf(marked);
    chosen?.classList.add("chosen");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const stop = document.getElementById(focused) || chosen || grid.firstChild;
    if (stop) stop.tabIndex = 0;
  }

  // Where a tile would lie that has not been made.
  function rollTo(unit) {
    const place = rolled ? rolled.order.indexOf(unit) : -1;
    if (place < 0 || tileOf(unit)) return;
    const top = grid.getBoundingClientRect().top + scrollY + Math.floor(place / rolled.columns) * rolled.side;
    scrollTo(0, top - innerHeight / 2);
    roll();
  }

  function link(series, unit) {
    const health = healthOf(series, unit);
    const marked = health === "dead" || health === "weak";
    const name = called(unit);
    const words = `Unit ${unit}${name && ": " + name}${marked ? ", " + health : ""}`;
    const own = series.prefix === grid.dataset.series; // else a new tab would show another picture than this tile
    return make("a", { id: `u${unit}`, href: `#u${unit}${own ? "" : `&t=${encodeURIComponent(series.prefix)}`}`, class: marked ? health[0] : null, "aria-label": words });
  }

  function tile(series, unit) {
    const element = link(series, unit);
    const at = place(series, "plate", series.slot.get(unit));
    const share = (number, count) => `${count > 1 ? (number / (count - 1)) * 100 : 0}%`;
    element.classList.add(ruled(at.file));
    element.style.backgroundPosition = `${share(at.x, at.n)} ${share(at.y, at.rows)}`;
    return element;
  }

  // A class for each plate: a browser looks a picture up once for a rule, but again for every tile that names it.
  function ruled(file) {
    if (!(file in rules)) {
      rules[file] = `p${sheet.cssRules.length}`;
      sheet.insertRule(`.${rules[file]}{background-image:url("${file}")}`);
    }
    return rules[file];
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
    marked = unit;
    if (unit !== null) rollTo(unit);
    const chosen = unit === null ? null : tileOf(unit);
    for (const old of grid.querySelectorAll(".chosen, [tabindex='0']")) {
      old.classList.remove("chosen");
      old.tabIndex = -1;
    }
    chosen?.classList.add("chosen");
    const stop = chosen || tiles()[0];
    if (stop) stop.tabIndex = 0;
    if (chosen) requestAnimationFrame(() => bring(unit));
  }

  // Into sight, if it is not there: on a phone above the panel, as high as it may grow.
  function bring(unit) {
    rollTo(unit);
    const at = tileOf(unit)?.getBoundingClientRect();
    const over = getComputedStyle(panel).position === "fixed";
    if (at && (at.top < (over ? 0 : 60) || at.bottom > innerHeight * (over ? 0.22 : 1))) tileOf(unit).scrollIntoView({ block: over ? "start" : "center" });
  }

  // Opening the panel changes the columns, and the chosen tile lies elsewhere.
  function resized() {
    if (grid.clientWidth === width) return;
    width = grid.clientWidth;
    if (rolled) cut(width, grid.getBoundingClientRect().top);
    if (marked !== null) bring(marked);
  }

  // The panel leaves the grid its room, and opens at its head again.
  function close() {
    Konvolut.html.classList.remove("waits");
    if (panel.hidden) return;
    panel.scrollTop = 0;
    panel.hidden = true;
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
    addEventListener("scroll", () => roll(), { passive: true });
    addEventListener("beforeprint", () => rolled && made(0, rolled.order.length, rolled.order.length));
    new ResizeObserver(resized).observe(grid);
  }

  return { SORTS, sortable, element: grid, usual, close, begin, arrange, draw, mark, beside, called, tileOf };
})();
