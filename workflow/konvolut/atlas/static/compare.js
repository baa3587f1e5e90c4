/* Units, layers, models and runs side by side; compare.html#lite0/blocks.1/5,vgg16/features.7/12&t=dreams-cat&p=1; a model is its name alone */
(() => {
  const { make, cell, path } = Konvolut;
  const $ = (id) => document.getElementById(id);
  const PLATE = 64; // units of a layer that are shown at once
  const FROM_NOISE = ["channels", "neuron", "negative", "diversity", "maco"];
  const PICTURED = [...FROM_NOISE, "dreams", "maps", "kernels"];
  let known; // search.js
  let state; // { entries: [{ model, layer, unit }], t, p }; without unit a whole layer, without layer a whole model

  function read() {
    const [first, ...rest] = location.hash.slice(1).split("&");
    const given = new URLSearchParams(rest.join("&"));
    state = { entries: first.split(",").map(entry).filter(Boolean), t: given.get("t") || "", p: Math.max(0, Number(given.get("p")) || 0) };
  }

  // Only what the atlas has: an address never leads a script out of it.
  function entry(text) {
    let names;
    try { names = text.split("/").map(decodeURIComponent); } catch { return null; }
    const model = known.models.find(({ folder }) => folder === names[0]);
    if (model && !names[1]) return names[2] ? null : { model, layer: null, unit: null };
    const layer = model?.layers.find(({ folder, name }) => folder === names[1] || name === names[1]);
    const unit = names[2] === undefined || names[2] === "" ? null : Number(names[2]);
    return layer && (unit === null || (Number.isInteger(unit) && unit >= 0 && unit < layer.count)) ? { model, layer, unit } : null;
  }

  const named = ({ model, layer, unit }) => path(model.folder, ...(layer ? [layer.folder] : []), ...(unit === null ? [] : [String(unit)]));
  const home = ({ model, layer }) => path(model.folder, layer.folder);
  const spoken = ({ model, layer, unit }) => `${model.id}${layer ? ` ${layer.name}` : ""}${unit === null ? "" : `:${unit}`}`;

  function go(changes, step = true) {
    state = { ...state, ...changes };
    const parts = [state.entries.map(named).join(","), state.t && `t=${encodeURIComponent(state.t)}`, state.p && `p=${state.p}`].filter(Boolean);
    history[step ? "pushState" : "replaceState"](null, "", `#${parts.join("&")}`);
    draw();
  }

  async function draw() {
    const drawn = state;
    Konvolut.kept.set("pinned", state.entries.filter(({ unit }) => unit !== null).map(named).join(","));
    const opened = await Promise.all(state.entries.filter(({ layer }) => layer).map(open));
    if (drawn !== state) return;
    const units = opened.filter(({ unit }) => unit !== null);
    const layers = opened.filter(({ unit }) => unit === null);
    $("units").replaceChildren(...(units.length ? [make("div", { class: "columns", "--count": units.length, "--rows": rows(units).length + 1 }, ...units.map((one) => column(one, rows(units))))] : []));
    $("layers").replaceChildren(...(layers.length ? plates(layers) : []));
    $("models").replaceChildren(...wholes(state.entries.filter(({ layer }) => !layer)));
    if (!state.entries.length) $("units").replaceChildren(suggestions());
    techniques(layers);
    document.title = `${state.entries.map(spoken).slice(0, 3).join(" · ") || "Compare"} · ${document.querySelector(".brand").textContent}`;
    notes();
  }

  async function open(one) {
    const columns = Konvolut.opened(await Konvolut.load(`${home(one)}/columns.js`), home(one));
    const data = one.unit === null ? null : await Konvolut.details(home(one), one.unit).catch(() => ({}));
    return { ...one, columns, data, facts: data && Evidence.facts(data, columns, one.unit) };
  }

  // One row per series that any of the units has, so that equal things stand side by side.
  function rows(units) {
    const all = units.flatMap(({ columns, unit }) => columns.series.filter((series) => series.slot.has(unit) && PICTURED.includes(series.technique)));
    return [...new Map(all.map((series) => [series.prefix, series])).values()].sort((a, b) => PICTURED.indexOf(a.technique) - PICTURED.indexOf(b.technique))
      .map(({ prefix, technique, title }) => ({ prefix, title: technique === "channels" ? "Feature" : FROM_NOISE.includes(technique) ? title : technique === "kernels" ? "Kernel" : `${technique === "maps" ? "Response to" : "Dream of"} ${title}` }))
      .concat([{ title: "Numbers", fill: numbers }, { title: "Photographs that excite it most", fill: best }]);
  }

  function column(one, all) {
    const head = header(one, `${home(one)}.html#u${one.unit}`, `${one.layer.name}:${one.unit}`, `${one.model.id}${one.columns.names[one.unit] ? ` · ${one.columns.names[one.unit]}` : ""}`);
    return make("article", { class: "column", "aria-label": spoken(one) }, head, ...all.map((row) => make("section", {}, make("h3", {}, row.title), row.fill ? row.fill(one) : picture(one, row))));
  }

  function header(one, href, name, facts) {
    const without = () => go({ entries: state.entries.filter((other) => named(other) !== named(one)) });
    return make("header", {}, make("h2", {}, make("a", { href }, name)), make("p", { class: "facts" }, facts),
      make("button", { class: "plain", "aria-label": `Take ${spoken(one)} away`, title: "take away", onclick: without }, "×"));
  }

  const nothing = (words = "not computed") => make("p", { class: "missing" }, words);

  function picture({ columns, unit, facts, ...one }, { prefix, title }) {
    const series = columns.series.find((other) => other.prefix === prefix);
    if (!series?.slot.has(unit)) return nothing();
    const reached = facts.pictures[prefix]?.reached;
    const times = reached / facts.natural.max?.[unit];
    const words = reached == null ? "" : `reaches ${Charts.short(reached)}${times > 0 && times < Infinity ? `, ${times.toFixed(1)} times the best photograph` : ""}`;
    return make("figure", {}, cell(series, "large", series.slot.get(unit), `${title}: ${spoken({ ...one, unit })}`), make("figcaption", {}, words));
  }

  function numbers({ facts, columns, unit }) {
    if (!facts.histogram) return nothing("photographs: not computed");
    return make("div", {}, Charts.histogram(facts.histogram, facts.edges, null, 230), Evidence.numbers(facts, unit), make("p", { class: "note" }, `over ${columns.over} photographs`));
  }

  function best({ facts, data }) {
    const part = Evidence.examples(facts, data);
    part.querySelector("h3").remove();
    part.classList.add("boxes");
    return part;
  }

  // Layers as plates of the same channels; what is pointed at in one is marked in all.
  function plates(layers) {
    const longest = Math.max(...layers.map(({ columns }) => seriesOf(columns)?.list.length || 0));
    const pages = Math.max(1, Math.ceil(longest / PLATE));
    const p = Math.min(state.p, pages - 1);
    const turn = (way, words, sign) => make("button", { disabled: p + way < 0 || p + way >= pages, "aria-label": words, onclick: () => go({ p: p + way }) }, sign);
    const bar = make("p", { class: "turn" }, turn(-1, "Plate before", "‹"), ` plate ${p + 1} of ${pages} `, turn(1, "Next plate", "›"));
    return [pages > 1 ? bar : "", make("div", { class: "columns", "--count": layers.length }, ...layers.map((one) => plate(one, p, layers)))];
  }

  // Whole models: a row per layer, by name where all of them share some, else by place.
  function wholes(models) {
    if (!models.length) return [];
    const all = models.map(({ model }) => model.layers);
    const called = (layers, name) => layers.find((layer) => layer.name === name);
    const places = Array.from({ length: Math.max(...all.map((layers) => layers.length)) }, (_, place) => (layers) => layers[place]);
    const names = [...new Set(all.flat().map(({ name }) => name))].map((name) => (layers) => called(layers, name));
    const rows = all.every((layers) => layers.some(({ name }) => called(all[0], name))) ? names : places;
    return [make("div", { class: "columns", "--count": models.length, "--rows": rows.length + 1 }, ...models.map((one) => make("article", { class: "column model", "aria-label": spoken(one) },
      header(one, `${named(one)}/index.html`, one.model.id, one.model.weights), ...rows.map((row) => strip(one.model, row(one.model.layers))))))];
  }

  function strip(model, layer) {
    if (!layer) return make("section", {}, nothing("no such layer"));
    const page = path(model.folder, layer.folder);
    const picture = layer.series ? make("span", { class: "strip" }, make("img", { src: `${page}/strip-${layer.series.prefix}.webp`, alt: `Some units of ${layer.name}`, loading: "lazy" })) : nothing();
    return make("section", {}, make("h3", {}, make("a", { href: `${page}.html` }, layer.name)), picture);
  }

  const seriesOf = (columns) => columns.series.find(({ prefix }) => prefix === state.t) || columns.series.find(({ sheets }) => sheets.plate);

  function plate(one, p, layers) {
    const series = seriesOf(one.columns);
    const units = series ? series.list.slice(p * PLATE, (p + 1) * PLATE) : [];
    const head = header(one, `${home(one)}.html`, one.layer.name, `${one.model.id} · ${one.model.weights}`);
    const tiles = units.map((unit) => make("button", { class: "tile", "data-unit": unit, "aria-label": `Unit ${unit} of ${spoken(one)}`, title: `unit ${unit}`, onclick: () => together(unit, layers) }, cell(series, "plate", series.slot.get(unit), "")));
    return make("article", { class: "column layer" }, head, units.length ? make("div", { class: "eight", onpointerover: point, onfocusin: point, onpointerleave: point }, ...tiles) : nothing("no pictures here"));
  }

  function point(event) {
    const unit = event.type === "pointerleave" ? null : event.target.closest("[data-unit]")?.dataset.unit;
    for (const tile of document.querySelectorAll("[data-unit]")) tile.classList.toggle("pointed", tile.dataset.unit === unit);
  }

  const together = (unit, layers) => go({ entries: [...state.entries, ...layers.filter(({ layer }) => unit < layer.count).map(({ model, layer }) => ({ model, layer, unit }))]
    .filter((one, number, all) => all.findIndex((other) => named(other) === named(one)) === number) });

  function techniques(layers) {
    const all = new Map(layers.flatMap(({ columns }) => columns.series.filter(({ sheets }) => sheets.plate)).map((series) => [series.prefix, series]));
    $("technique-label").hidden = all.size < 2;
    $("technique").replaceChildren(...[...all.values()].map(({ prefix, technique, title }) => new Option(technique === "dreams" ? `Dreams of ${title}` : technique === "maps" ? `Maps of ${title}` : title, prefix, false, prefix === state.t)));
  }

  // Nothing is chosen yet: the same layer of two networks is what readers compare first.
  function suggestions() {
    const pairs = known.models.flatMap((model, number) => known.models.slice(number + 1).flatMap((other) => {
      const shared = model.layers.filter((layer) => other.layers.some(({ name }) => name === layer.name));
      return shared.slice(0, 3).map((layer) => [{ model, layer, unit: null }, { model: other, layer: other.layers.find(({ name }) => name === layer.name), unit: null }]);
    })).slice(0, 8);
    if (known.models.length > 1) pairs.unshift(known.models.slice(0, 2).map((model) => ({ model, layer: null, unit: null })));
    const links = pairs.map((pair) => make("li", {}, make("a", { href: `#${pair.map(named).join(",")}` }, `${pair[0].layer?.name || "all layers"} in ${pair.map(({ model }) => model.id).join(" and ")}`)));
    return make("div", { class: "empty" }, make("p", {}, "Nothing stands here yet. Add a unit, a whole layer or a whole model above, or press ", make("kbd", {}, "c"), " in the panel of a unit."), links.length ? make("ul", {}, ...links) : "");
  }

  function form() {
    const layers = () => $("layer").replaceChildren(...known.models[$("model").selectedIndex].layers.map(({ name, folder }) => new Option(name, folder)), new Option("whole model", ""));
    $("model").replaceChildren(...known.models.map(({ id, folder }) => new Option(id, folder)));
    $("model").addEventListener("change", layers);
    layers();
    $("technique").addEventListener("change", () => go({ t: $("technique").value }, false));
    $("tools").addEventListener("submit", (event) => {
      event.preventDefault();
      const one = entry(`${path($("model").value, $("layer").value)}/${$("number").value.trim()}`);
      $("said").textContent = one ? "" : "There is no such unit in that layer.";
      if (one && !state.entries.some((other) => named(other) === named(one))) go({ entries: [...state.entries, one] });
    });
    $("tools").hidden = false;
  }

  function save() {
    const text = JSON.stringify({ format: "konvolut-notes/1", notes: Notes.all() }, null, 1);
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "konvolut-notes.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // Stars and notes of this browser, with a file to keep or send.
  function notes() {
    const all = Object.entries(Notes.all());
    $("kept").hidden = !all.length;
    const items = all.map(([name, { star, note, page }]) => make("li", {}, star ? "★ " : "", make("a", { href: page, class: "path" }, name), note ? ` ${note}` : ""));
    $("kept").replaceChildren(make("h2", {}, "Your stars and notes"), make("ul", { class: "notes" }, ...items), make("p", {}, make("button", { onclick: save }, "export as JSON")));
  }

  Konvolut.load("search.js").then((index) => {
    known = index;
    if (known.models.length) form();
    addEventListener("popstate", () => { read(); draw(); });
    read();
    draw();
  });
})();
