"use strict";
/* The grid of a layer: technique, order, filter and size; its state lives in the address, #u447&t=dreams-0&s=max&q=cat. */
(() => {
  const { make, keys, ranges, place } = Konvolut;
  const $ = (id) => document.getElementById(id);
  const grid = $("grid");
  const printed = [...grid.childNodes]; // the plates that are there without a script
  const folder = grid.dataset.folder;
  const SORTS = { index: "number", activation: "activation of the picture", health: "times the best photograph", max: "maximum on photographs",
    mean: "mean on photographs", active: "share of photographs" };
  const TITLES = { channels: "Features", dreams: "Dreams", examples: "Photographs" };
  let layer, state, order = [], preview, hovering;

  function readAddress() {
    const [unit, ...rest] = location.hash.slice(1).split("&");
    const given = new URLSearchParams((unit.startsWith("u") ? rest : [unit, ...rest]).join("&"));
    const series = find(given.get("t")) || find(grid.dataset.series) || layer.series[0];
    const number = /^u\d+$/.test(unit) ? Number(unit.slice(1)) : null;
    return { unit: number !== null && number < layer.count ? number : null, t: series?.prefix, s: SORTS[given.get("s")] ? given.get("s") : "index",
      q: given.get("q") || "", z: Number(given.get("z")) || 0, f: given.get("f") === "1" };
  }

  function address() {
    const parts = state.unit === null ? [] : [`u${state.unit}`];
    if (state.t && state.t !== grid.dataset.series) parts.push(`t=${state.t}`);
    if (state.s !== "index") parts.push(`s=${state.s}`);
    if (state.q) parts.push(`q=${encodeURIComponent(state.q)}`);
    if (state.z) parts.push(`z=${state.z}`);
    if (state.f) parts.push("f=1");
    return "#" + parts.join("&");
  }

  // A unit is a step in the browser's history; typing and sliding are not.
  function go(changes) {
    const before = state;
    state = { ...state, ...changes };
    if (address() !== location.hash) history[state.unit !== before.unit ? "pushState" : "replaceState"](null, "", address());
    update(before);
  }

  function update(before) {
    if (!before || ["t", "s", "q", "z"].some((name) => before[name] !== state[name])) draw();
    document.body.classList.toggle("full", state.f && state.unit !== null);
    mark();
    if (state.unit === null) Panel.hide();
    else if (!before || before.unit !== state.unit || before.t !== state.t) Panel.show(state.unit, state.t);
  }

  const find = (prefix) => layer.series.find((series) => series.prefix === prefix);

  function draw() {
    const series = find(state.t);
    order = series ? arrange(series) : [];
    const natural = state.s === "index" && !state.q;
    const size = state.z || (natural ? 0 : order.length <= 32 ? 124 : 76);
    if (size) grid.style.setProperty("--tile", `${size}px`); else grid.style.removeProperty("--tile");
    grid.classList.toggle("flat", !natural);
    grid.classList.toggle("few", Boolean(series) && series.list.length <= 32);
    if (!order.length) grid.replaceChildren(make("p", { class: "missing" }, state.q ? `No unit fits “${state.q}”.` : "No picture of this layer has been computed."));
    else if (natural && state.t === grid.dataset.series) grid.replaceChildren(...printed);
    else grid.replaceChildren(...(natural ? drawPlates(series) : order.map((unit) => tile(series, unit, size))));
    for (const link of tiles()) link.tabIndex = -1;
    const first = $(`u${state.unit}`) || tiles()[0];
    if (first) first.tabIndex = 0;
    tools(series);
  }

  const tiles = () => grid.querySelectorAll("a");

  function arrange(series) {
    const value = { activation: (unit, slot) => series.activation[slot], health: (unit, slot) => series.activation[slot] / layer.natural.max?.[unit],
      max: (unit) => layer.natural.max?.[unit], mean: (unit) => layer.natural.mean?.[unit], active: (unit) => layer.natural.active?.[unit] }[state.s];
    const units = series.list.filter((unit) => fits(unit, series));
    if (!value) return units;
    const known = new Map(units.map((unit) => [unit, Number(value(unit, series.slot.get(unit)) ?? -Infinity)]));
    return units.sort((a, b) => (known.get(b) || 0) - (known.get(a) || 0) || a - b);
  }

  function fits(unit, series) {
    const words = state.q.trim().toLowerCase().replace(/^.*:(?=\d+$)/, "");
    if (!words) return true;
    if (/^\d+$/.test(words)) return String(unit).startsWith(words);
    const health = { w: "weak", d: "dead", g: "good" }[series.health[series.slot.get(unit)]] || "";
    return `${top(unit)} ${layer.photographs[layer.top[unit]]?.[2] || ""} ${health}`.toLowerCase().includes(words);
  }

  const top = (unit) => layer.photographs[layer.top[unit]]?.[1] || "";

  function link(series, unit, attributes = {}) {
    const health = series.health[series.slot.get(unit)];
    return make("a", { id: `u${unit}`, href: `#u${unit}`, class: "dw".includes(health) ? health : null,
      "aria-label": `Unit ${unit}${top(unit) && ": " + top(unit)}${{ d: ", dead", w: ", weak" }[health] || ""}`, ...attributes });
  }

  function tile(series, unit, size) {
    const element = link(series, unit);
    const large = series.sheets.large;
    const kind = large && large.width === large.height && size > series.sheets.plate.width ? "large" : "plate";
    const at = place(series, kind, series.slot.get(unit));
    element.style.backgroundImage = `url("${at.file}")`;
    element.style.backgroundSize = `calc(var(--tile) * ${at.n}) auto`;
    element.style.backgroundPosition = `calc(var(--tile) * -${at.x}) calc(var(--tile) * -${at.y})`;
    return element;
  }

  function drawPlates(series) {
    const { columns, rows, width, height } = series.sheets.plate;
    const parts = [];
    for (let first = 0; first < series.list.length; first += columns * rows) {
      const units = series.list.slice(first, first + columns * rows);
      const used = Math.ceil(units.length / columns);
      const image = make("img", { src: place(series, "plate", first).file, alt: "", width: width * columns, height: height * used, loading: first ? "lazy" : null });
      const free = Array.from({ length: used * columns - units.length }, () => make("i"));
      parts.push(make("section", { class: "plate" }, make("h2", {}, `units ${units[0]}${units.length > 1 ? "–" + units.at(-1) : ""}`),
        make("div", { class: "tiles" }, image, ...units.map((unit) => link(series, unit)), ...free)));
    }
    return parts;
  }

  function mark() {
    for (const old of grid.querySelectorAll(".chosen")) old.classList.remove("chosen");
    const chosen = state.unit !== null && $(`u${state.unit}`);
    if (!chosen) return;
    chosen.classList.add("chosen");
    for (const other of grid.querySelectorAll("a[tabindex='0']")) other.tabIndex = -1;
    chosen.tabIndex = 0;
    // Opening the panel changes the columns: two frames later the tile lies where it stays.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const at = chosen.getBoundingClientRect();
      if (at.top < 60 || at.bottom > innerHeight) chosen.scrollIntoView({ block: "center" });
    }));
  }

  function tools(series) {
    $("techniques").replaceChildren(...techniques().map(([technique, first], number) => make("button", { type: "button",
      "aria-pressed": String(series?.technique === technique), title: `key ${number + 1}`, onclick: () => technique !== find(state.t).technique && go({ t: first.prefix }) }, TITLES[technique])));
    const siblings = layer.series.filter((other) => other.technique === series?.technique);
    $("start-label").hidden = siblings.length < 2;
    $("start").replaceChildren(...siblings.map((other) => new Option(other.title, other.prefix, false, other === series)));
    $("sort").value = state.s;
    if ($("filter").value !== state.q) $("filter").value = state.q;
    $("size").value = state.z || parseInt(getComputedStyle(grid).getPropertyValue("--tile"), 10) || (grid.classList.contains("few") ? 124 : 57);
    $("count").textContent = series ? `${state.q ? `${order.length} of ` : ""}${series.list.length} units` : "";
  }

  const techniques = () => Object.keys(TITLES).map((name) => [name, layer.series.find((series) => series.technique === name)]).filter(([, series]) => series);

  function step(way) {
    const at = order.indexOf(state.unit);
    const next = at < 0 ? order[0] : order[at + way];
    if (next === undefined) return false;
    go({ unit: next });
  }

  function close() {
    const chosen = $(`u${state.unit}`);
    if (state.unit === null) return state.q ? go({ q: "" }) : false;
    go({ unit: null, f: false });
    chosen?.focus({ preventScroll: true });
  }

  const full = () => (state.unit === null ? false : go({ f: !state.f }));

  // The nearest tile in a direction, also across the gutter between plates.
  function walk(dx, dy) {
    const from = document.activeElement.closest?.("#grid a") || $(`u${state.unit}`);
    if (!from) return false;
    const a = from.getBoundingClientRect();
    let best, nearest = Infinity;
    for (const other of tiles()) {
      const b = other.getBoundingClientRect();
      const along = dx ? (b.left - a.left) * dx : (b.top - a.top) * dy;
      const aside = Math.abs(dx ? b.top - a.top : b.left - a.left);
      const distance = along + 3 * aside;
      if (along > 4 && aside < a.width && distance < nearest) [best, nearest] = [other, distance];
    }
    if (!best) return;
    from.tabIndex = -1;
    best.tabIndex = 0;
    best.focus();
    if (state.unit !== null) go({ unit: Number(best.id.slice(1)) });
  }

  function neighbour(way) {
    const at = Konvolut.received.layers?.layers.findIndex(([name]) => name === grid.dataset.layer);
    const next = at >= 0 && Konvolut.received.layers.layers[at + way];
    if (!next) return false;
    location.href = next[1];
  }

  async function showNeighbours() {
    const { layers } = await Konvolut.load("layers.js", "layers");
    const at = layers.findIndex(([name]) => name === grid.dataset.layer);
    const to = (way, sign) => layers[at + way] && make("a", { href: layers[at + way][1], title: `key ${way < 0 ? "[" : "]"}` }, way < 0 ? `${sign} ${layers[at + way][0]}` : `${layers[at + way][0]} ${sign}`);
    $("neighbours").append(...[`layer ${at + 1} of ${layers.length} `, to(-1, "‹"), " ", to(1, "›")].filter(Boolean));
  }

  function hover(event) {
    const link = event.target.closest("a");
    if (link === hovering) return;
    hovering = link;
    clearTimeout(preview?.timer);
    preview?.box?.remove();
    if (!link || event.pointerType !== "mouse") return;
    preview = { timer: setTimeout(() => { preview.box = floating(link); }, 140) };
  }

  function floating(link) {
    const series = find(state.t), unit = Number(link.id.slice(1)), at = link.getBoundingClientRect();
    const slot = series.slot.get(unit);
    const box = make("div", { class: "preview", "aria-hidden": "true" }, Konvolut.cell(series, series.sheets.large ? "large" : "plate", slot, ""),
      make("p", {}, make("span", {}, `unit ${unit}`), make("span", {}, [series.activation[slot] != null && `reaches ${Charts.short(series.activation[slot])}`, top(unit)].filter(Boolean).join(" · "))));
    document.body.append(box);
    const left = at.right + 8 + box.offsetWidth < innerWidth ? at.right + 8 : at.left - 8 - box.offsetWidth;
    box.style.left = `${Math.max(4, left)}px`;
    box.style.top = `${Math.max(4, Math.min(at.top - 40, innerHeight - box.offsetHeight - 4))}px`;
    return box;
  }

  function listen() {
    grid.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go({ unit: Number(link.id.slice(1)) });
      if (event.detail === 0) $("panel").querySelector("h2").focus(); // Enter: the reader goes on inside
    });
    grid.addEventListener("pointerover", hover);
    grid.addEventListener("pointerleave", () => hover({ target: document.body }));
    addEventListener("scroll", () => hover({ target: document.body }), { passive: true });
    for (const [name, key] of [["sort", "s"], ["start", "t"]]) $(name).addEventListener("change", (event) => go({ [key]: event.target.value }));
    $("filter").addEventListener("input", (event) => go({ q: event.target.value }));
    $("filter").addEventListener("keydown", (event) => { if (event.key === "Enter" && order.length) go({ unit: order[0] }); if (event.key === "Escape") event.target.blur(); });
    $("size").addEventListener("input", (event) => go({ z: Number(event.target.value) }));
    for (const name of ["popstate", "hashchange"]) addEventListener(name, () => { const before = state; state = readAddress(); if (before && address() !== "" ) update(before); });
  }

  function begin() {
    layer = { ...Konvolut.received.columns, folder };
    for (const series of layer.series) {
      series.folder = folder;
      series.list = ranges(series.units);
      series.slot = new Map(series.list.map((unit, slot) => [unit, slot]));
    }
    const sorts = Object.entries(SORTS).filter(([name]) => name === "index" || layer.natural.max || name === "activation");
    $("sort").append(...sorts.map(([name, words]) => new Option(words, name)));
    $("tools").hidden = false;
    Panel.begin(layer, { step, close, full });
    keys.unshift(["j", "next unit", () => step(1)], ["k", "previous unit", () => step(-1)], ["/", "filter", () => $("filter").focus()],
      ["1 2 3 4 5", "technique", (event) => { const chosen = techniques()[event.key - 1]; return chosen ? go({ t: chosen[1].prefix }) : false; }],
      ["f", "full width", full], ["Escape", "close", close], ["[", "previous layer", () => neighbour(-1)], ["]", "next layer", () => neighbour(1)],
      ...[["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]].map(([key, dx, dy]) => [key, "walk over the grid", () => walk(dx, dy)]));
    listen();
    state = readAddress();
    update(null);
    showNeighbours().catch(() => {});
  }

  Konvolut.load(`${folder}/columns.js`, "columns").then(begin, () => {});
})();
