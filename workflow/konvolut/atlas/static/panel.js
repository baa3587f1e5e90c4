/* The panel of one unit: everything known about it, made from the layer's data files. */
const Panel = (() => {
  const { make, cell, copyButton } = Konvolut;
  const { short } = Charts;
  const { section, note, missing, caption } = Evidence;
  const panel = document.getElementById("panel");
  let layer; // columns.js, its series with folder and slots
  let act; // what the buttons do: step(way), close(), full(), go(changes), pin()
  let asked = {}; // the state of the page: unit, b (before), x (boxes only)

  function begin(columns, actions) {
    layer = columns;
    act = actions;
  }

  // The picture first; until it is on the screen the grid keeps its room under a panel that opens, and details wait.
  // A unit that the address names has its room already, and comes as a whole.
  async function show(unit, state) {
    asked = state;
    const series = preferred(unit, state.t);
    const { classList } = Konvolut.html;
    const whole = classList.contains("waits");
    const coming = Konvolut.details(layer.folder, unit).catch(() => ({ passports: {} }));
    fill(unit, [head(unit), spoken(unit), picture(unit, series, null)]);
    panel.classList.toggle("opens", panel.hidden && !whole);
    panel.hidden = false;
    classList.remove("waits");
    const shown = !whole && panel.querySelector(".first img")?.decode().catch(() => {});
    const [data] = await Promise.all([coming, shown]);
    if (!whole) await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    if (asked !== state || panel.hidden) return;
    panel.classList.remove("opens");
    const facts = Evidence.facts(data, layer, unit);
    const own = series && facts.pictures[series.prefix];
    fill(unit, [head(unit), spoken(unit), picture(unit, series, facts), ascent(unit, series, own), others(unit, series, facts), Evidence.trust(facts, data.places), photographs(facts, data), Evidence.alike(facts, data, layer.over),
      dreams(unit, series, facts), remark(unit), again(unit), passport(data.passports, facts)]);
  }

  function fill(unit, parts) {
    const focused = panel.contains(document.activeElement) && document.activeElement.dataset.act;
    panel.replaceChildren(...parts.filter(Boolean));
    if (panel.dataset.unit !== String(unit) && !panel.hidden) panel.scrollTop = 0;
    panel.dataset.unit = unit;
    if (focused) panel.querySelector(`[data-act=${focused}]`)?.focus();
  }

  const preferred = (unit, prefix) =>
    [prefix, ...layer.series.map((series) => series.prefix)].map((name) => layer.series.find((series) => series.prefix === name))
      .find((series) => series && series.technique !== "examples" && series.slot.has(unit));

  const spokenName = (unit) => `${layer.again.id} ${layer.again.layer}:${unit}`;

  function head(unit) {
    const button = (name, words, sign, action) =>
      make("button", { "aria-label": words, title: words, "data-act": name, onclick: action }, sign);
    const starred = Notes.all()[cited(unit)]?.star;
    const sign = button("star", "Star (s)", starred ? "★" : "☆", star);
    sign.ariaPressed = Boolean(starred);
    return make("div", { class: "head" }, make("h2", { tabindex: -1, "data-act": "title" }, `Unit ${unit}`), layer.names[unit] && make("small", {}, layer.names[unit]), sign,
      button("before", "Previous unit (k)", "‹", () => act.step(-1)), button("after", "Next unit (j)", "›", () => act.step(1)),
      button("full", "Full width (f)", "⤢", act.full), button("close", "Close (Esc)", "×", act.close));
  }

  const cited = (unit) => Notes.citation(layer.again, unit);
  const place = (unit) => Notes.page({ ...layer.again, folder: decodeURIComponent(layer.folder) }, unit);

  function star() {
    const { star: was } = Notes.all()[cited(asked.unit)] || {};
    const { star: now } = Notes.change(cited(asked.unit), { star: !was, page: place(asked.unit) });
    const button = panel.querySelector("[data-act=star]");
    button.ariaPressed = now;
    button.textContent = now ? "★" : "☆";
  }

  function remark(unit) {
    const area = make("textarea", { rows: 2, "aria-label": `Note on unit ${unit}`, placeholder: "kept in this browser; all of them are on the page Compare",
      oninput: () => Notes.change(cited(unit), { note: area.value, page: place(unit) }) }, Notes.all()[cited(unit)]?.note || "");
    return section("Note", area);
  }

  const spoken = (unit) => make("div", { class: "spoken" }, make("p", {}, spokenName(unit)), make("p", { class: "deeds" }, copyButton(() => location.href, "copy link"),
    copyButton(() => cited(unit), "copy citation"), make("button", { title: "key c", onclick: act.pin }, "compare")));

  // Before the ascent: the photograph of a dream; of a feature the same unit of the network as it was initialised.
  function before(unit, series) {
    const box = make("span", { class: "cell none", "--r": Konvolut.place(series, "large", 0).r }, "…");
    if (series.technique === "dreams") box.replaceChildren(make("img", { src: Evidence.file(series.start), alt: `${series.title}, before the dream`, style: "position:static;width:100%" }));
    else twin(unit).then((found) => box.replaceWith(found || make("span", { class: "cell none" }, "no untrained twin in this atlas")), () => {});
    return box;
  }

  async function twin(unit) {
    const { models } = await Konvolut.load("../search.js");
    for (const model of models.filter(({ timm, folder, weights }) => timm === layer.again.timm && folder !== layer.again.model && weights.startsWith("random:"))) {
      const other = model.layers.find(({ name, series }) => name === layer.again.layer && series?.technique === "channels");
      const list = other ? Konvolut.ranges(other.series.units) : [];
      if (list.includes(unit)) return cell({ ...other.series, list, folder: `../${Konvolut.path(model.folder, other.folder)}` }, "large", list.indexOf(unit), `Unit ${unit} of ${model.id}, before training`);
    }
    return null;
  }

  function picture(unit, series, facts) {
    const shown = series && asked.b && BEFORE[series.technique] ? before(unit, series) : series
      ? large(series, unit)
      : make("span", { class: "cell none" }, "picture: not computed");
    const words = caption(series ? (asked.b && BEFORE[series.technique]) || title(series) : "");
    return make("section", { class: "first" }, make("figure", {}, shown, words, facts && verdict(facts, series, unit)), facts && statistics(facts, series && reached(series, facts), unit));
  }

  const large = (series, unit, words = `${title(series)}, unit ${unit}`) => cell(series, "large", series.slot.get(unit), words);
  const reached = ({ prefix }, { pictures }) => pictures[prefix]?.reached;

  const BEFORE = { dreams: "Before the dream", channels: "Before training" };
  const TITLES = { dreams: "Dream of ", accentuation: "Accents of ", maps: "Response to ", kernels: "" };
  const FROM_NOISE = ["channels", "neuron", "negative", "diversity", "maco"];
  const feature = (series) => (series.prefix === "channels" ? "Feature" : series.title);
  const title = (series) => (series.technique in TITLES ? TITLES[series.technique] + series.title : `${feature(series)}, from noise`);

  function verdict(facts, series, unit) {
    if (!series || !facts.pictures[series.prefix] || (asked.b && BEFORE[series.technique])) return null;
    const { reached: own, held } = facts.pictures[series.prefix];
    const best = facts.natural.max?.[unit];
    const kept = own > 0 && held != null ? ` Under small shifts and turns it keeps ${Math.round((held / own) * 100)} %.` : "";
    if (series.technique === "negative") return caption(`Silences it to ${short(own)}; the best photograph reaches ${short(best)}.`);
    const health = series.health[series.slot.get(unit)];
    const words = {
      d: "Dead: the ascent never raised this unit.",
      w: `Weak: reaches ${short(own)}, the best photograph ${short(best)}.`,
      g: best > 0 ? `Reaches ${short(own)}, ${(own / best).toFixed(1)} times the best photograph.` : `Reaches ${short(own)}.`,
    }[health] || `Reaches ${short(own)}.`;
    return caption(words + (health === "d" ? "" : kept));
  }

  function statistics(facts, own, unit) {
    if (!facts.histogram) return note("Photographs: not computed");
    return make("div", {}, Charts.histogram(facts.histogram, facts.edges, own), Evidence.numbers(facts, unit),
    note(`of its maxima over ${layer.over} photograph${layer.over === 1 ? "" : "s"}`));
  }

  function ascent(unit, series, own) {
    if (!series || !own) return null;
    const slot = series.slot.get(unit);
    const steps = series.steps.map((step, number) => make("figure", {},
      cell(series, "steps", slot * series.steps.length + number, `after ${step} steps`), caption(`${step}`)));
    const clear = series.sheets.clear && make("figure", { class: "extra" }, cell(series, "clear", slot, "The picture where it mattered"),
      caption("where it mattered to the ascent; the rest fades"));
    const moving = series.animated && make("figure", { class: "extra" },
      make("img", { src: `${layer.folder}/ascent-${series.prefix}-${unit}.webp`, alt: "The ascent, animated", loading: "lazy" }), caption("the ascent"));
    return section("Steps of the ascent", series.sheets.steps && make("div", { class: "steps" }, ...steps),
      (clear || moving) && make("div", { class: "extras" }, clear, moving),
      Charts.curve(own.curve, series.last_step), own.retries > 0 && note(`It took ${own.retries} retr${own.retries === 1 ? "y" : "ies"}.`));
  }

  // The unit's other pictures from noise: one cell, the negative, several that differ, phases alone.
  function others(unit, shown, facts) {
    const all = layer.series.filter((series) => series !== shown && FROM_NOISE.includes(series.technique) && series.slot.has(unit));
    if (!shown || !FROM_NOISE.includes(shown.technique) || !all.length) return null;
    const tiles = all.map((series) => make("figure", {}, make("button", { class: "plain", "aria-label": `Show ${title(series)}`, onclick: () => act.go({ t: series.prefix }) },
      large(series, unit)), caption(`${feature(series)}, reaches ${short(reached(series, facts))}`)));
    return section("Other pictures of it", make("div", { class: "others" }, ...tiles));
  }

  function photographs(facts, data) {
    const part = Evidence.examples(facts, data);
    if (facts.examples) part.firstChild.after(make("button", { "aria-pressed": String(asked.x), title: "key x", onclick: () => act.go({ x: !asked.x }) }, "boxes only"));
    part.classList.toggle("boxes", asked.x);
    return part;
  }

  function dreams(unit, shown, facts) {
    const all = layer.series.filter((series) => series.technique === "dreams" && series.slot.has(unit));
    if (!all.length) return section("Dreams", missing());
    const pairs = all.map((series) => {
      const dream = large(series, unit, `Dream of ${series.title} by unit ${unit}`);
      return make("figure", { class: "pair", "--r": Konvolut.place(series, "large", 0).r },
        make("a", { href: Evidence.page(series.start) }, make("img", { class: "photo", src: Evidence.file(series.start), alt: series.title, loading: "lazy" })),
        dream, caption(`${series.title}, reaches ${short(reached(series, facts))}`));
    });
    return section("Dreams", ...pairs);
  }

  function again(unit) {
    const { python, command } = layer.again;
    const box = (text) => make("div", { class: "command" }, make("pre", { tabindex: 0 }, text), copyButton(() => text, "copy"));
    return section("Make it again", command && box(command.replaceAll("{channel}", unit)), box(`${python}  # channel ${unit}`));
  }

  function passport(passports, facts) {
    const parts = layer.series.filter((series) => facts.pictures[series.prefix]).map((series) => {
      const rows = passports[series.prefix][facts.pictures[series.prefix].passport];
      return make("details", {}, make("summary", {}, `Passport: ${title(series)}`), make("dl", { class: "passport" },
        ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
    });
    return parts.length ? section("", ...parts) : null;
  }

  return { begin, show, star };
})();
