"use strict";
/* The panel of one unit: everything known about it, made from the layer's data files. */
const Panel = (() => {
  const { make, cell, copyButton } = Konvolut;
  const { short } = Charts;
  const panel = document.getElementById("panel");
  let layer; // columns.js, its series with folder and slots
  let act; // what the buttons do: step(way), close(), full()
  let asked = -1;
  let evidence; // the sections of evidence.js

  function begin(columns, actions) {
    layer = columns;
    act = actions;
  }

  async function show(unit, prefix) {
    asked = unit;
    const series = preferred(unit, prefix);
    fill(unit, [head(unit), spoken(unit), picture(unit, series, null)]);
    panel.hidden = false;
    let data;
    const sections = Konvolut.load("../assets/evidence.js", "evidence");
    try {
      data = await act.details(unit);
    } catch {
      data = { units: {}, photographs: [], passports: {} };
    }
    evidence = await sections;
    if (asked !== unit || panel.hidden) return;
    const facts = data.units[unit] || { pictures: {} };
    const own = series && facts.pictures[series.prefix];
    fill(unit, [head(unit), spoken(unit), picture(unit, series, facts), ascent(unit, series, own), evidence.examples(facts, data.photographs),
      dreams(unit, series, facts), again(unit), passport(data.passports, facts)]);
  }

  function fill(unit, parts) {
    const scrolled = panel.dataset.unit === String(unit) ? panel.scrollTop : 0;
    const focused = panel.contains(document.activeElement) && document.activeElement.dataset.act;
    panel.replaceChildren(...parts.filter(Boolean));
    panel.dataset.unit = unit;
    panel.scrollTop = scrolled;
    if (focused) panel.querySelector(`[data-act=${focused}]`)?.focus();
  }

  const preferred = (unit, prefix) =>
    [prefix, ...layer.series.map((series) => series.prefix)].map((name) => layer.series.find((series) => series.prefix === name))
      .find((series) => series && series.technique !== "examples" && series.slot.has(unit));

  const spokenName = (unit) => `${layer.again.id} ${layer.again.layer}:${unit}`;
  const section = (title, ...parts) => make("section", {}, title && make("h3", {}, title), ...parts);

  function head(unit) {
    const button = (name, words, sign, action) =>
      make("button", { "aria-label": words, title: words, "data-act": name, onclick: action }, sign);
    const link = copyButton(() => location.href, "copy link");
    return make("div", { class: "head" }, make("h2", { tabindex: -1, "data-act": "title" }, `Unit ${unit}`, layer.names[unit] && make("small", {}, layer.names[unit])), link,
      button("before", "Previous unit (k)", "‹", () => act.step(-1)), button("after", "Next unit (j)", "›", () => act.step(1)),
      button("full", "Full width (f)", "⤢", act.full), button("close", "Close (Esc)", "×", act.close));
  }

  const spoken = (unit) => make("p", { class: "spoken" }, spokenName(unit));

  function picture(unit, series, facts) {
    const shown = series
      ? cell(series, "large", series.slot.get(unit), `${title(series)}, unit ${unit}`)
      : make("span", { class: "cell none" }, "picture: not computed");
    const caption = make("figcaption", {}, series ? title(series) : "");
    if (!facts) return make("section", { class: "first" }, make("figure", {}, shown, caption));
    const own = series && facts.pictures[series.prefix]?.activation[1];
    return make("section", { class: "first" }, make("figure", {}, shown, caption, verdict(facts, series, unit)), statistics(facts, own));
  }

  const TITLES = { dreams: "Dream of ", maps: "Response to ", kernels: "" };
  const title = (series) => (series.technique in TITLES ? TITLES[series.technique] + series.title : "Feature, from noise");

  function verdict(facts, series, unit) {
    if (!series || !facts.pictures[series.prefix]) return null;
    const [, own, , heldOut] = facts.pictures[series.prefix].activation;
    const best = facts.natural && facts.natural[2];
    const kept = own > 0 && heldOut != null ? ` Under small shifts and turns it keeps ${Math.round((heldOut / own) * 100)} %.` : "";
    const health = series.health[series.slot.get(unit)];
    const words = {
      d: "Dead: the ascent never raised this unit.",
      w: `Weak: reaches ${short(own)}, the best photograph ${short(best)}.`,
      g: best > 0 ? `Reaches ${short(own)}, ${(own / best).toFixed(1)} times the best photograph.` : `Reaches ${short(own)}.`,
    }[health] || `Reaches ${short(own)}.`;
    return make("figcaption", {}, words + (health === "d" ? "" : kept));
  }

  function statistics(facts, own) {
    if (!facts.natural) return make("p", { class: "note" }, "Photographs: not computed");
    return make("div", {}, Charts.histogram(facts.histogram, facts.edges, own), evidence.numbers(facts),
    make("p", { class: "note" }, `of its maxima over ${layer.over} photograph${layer.over === 1 ? "" : "s"}`));
  }

  function ascent(unit, series, own) {
    if (!series || !own) return null;
    const slot = series.slot.get(unit);
    const steps = series.steps.map((step, number) => make("figure", {},
      cell(series, "steps", slot * series.steps.length + number, `after ${step} steps`), make("figcaption", {}, `${step}`)));
    const note = own.attempt ? `It took ${own.attempt} retr${own.attempt === 1 ? "y" : "ies"}.` : "";
    return section("Steps of the ascent", steps.length && series.sheets.steps && make("div", { class: "steps" }, ...steps),
      Charts.curve(own.curve, series.last_step), note && make("p", { class: "note" }, note));
  }

  const photo = (key) => `../images/photo/${encodeURIComponent(key)}.webp`;

  function dreams(unit, shown, facts) {
    const all = layer.series.filter((series) => series.technique === "dreams" && series.slot.has(unit));
    if (!all.length) return section("Dreams", make("p", { class: "missing" }, "not computed"));
    const pairs = all.map((series) => {
      const dream = cell(series, "large", series.slot.get(unit), `Dream of ${series.title} by unit ${unit}`);
      const { activation } = facts.pictures[series.prefix] || { activation: [] };
      return make("figure", { class: "pair", "--r": Konvolut.place(series, "large", 0).r },
        make("a", { href: `../images/${encodeURIComponent(series.start)}.html` }, make("img", { class: "photo", src: photo(series.start), alt: series.title, loading: "lazy" })),
        dream, make("figcaption", {}, `${series.title}, reaches ${short(activation[1])}`));
    });
    return section("Dreams", ...pairs);
  }

  function again(unit) {
    const { timm, weights, layer: name, command } = layer.again;
    const pretrained = weights === "pretrained";
    const python = `${pretrained ? "" : `# weights: ${weights}\n`}import timm\n` +
      `model = timm.create_model(${JSON.stringify(timm)}${pretrained ? ", pretrained=True" : ""}).eval()\nlayer = model.get_submodule(${JSON.stringify(name)})  # channel ${unit}`;
    const box = (text) => make("div", { class: "command" }, make("pre", { tabindex: 0 }, text), copyButton(() => text, "copy"));
    return section("Make it again", command && box(command.replaceAll("{channel}", unit)), box(python));
  }

  function passport(passports, facts) {
    const parts = layer.series.filter((series) => facts.pictures[series.prefix]).map((series) => {
      const rows = flat(passports[series.prefix][facts.pictures[series.prefix].passport]);
      return make("details", {}, make("summary", {}, `Passport: ${title(series)}`), make("dl", { class: "passport" },
        ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
    });
    return parts.length ? section("", ...parts) : null;
  }

  function flat(value, name = "") {
    if (value === null || typeof value !== "object") return [[name, String(value)]];
    if (Array.isArray(value) && value.every((item) => item === null || typeof item !== "object")) {
      const numbers = value.every(Number.isInteger) && value.length > 12;
      return [[name, numbers ? `${value.length} values, ${value[0]} to ${value.at(-1)}` : value.join(", ")]];
    }
    return Object.entries(value).flatMap(([key, item]) => flat(item, name ? `${name}.${key}` : key));
  }

  return { begin, show };
})();
