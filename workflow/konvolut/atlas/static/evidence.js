/* The panel's sections on photographs: those that excite a unit, those in between, and its numbers. */
const Evidence = (() => {
  const { make } = Konvolut;
  const section = (title, ...parts) => make("section", {}, title && make("h3", {}, title), ...parts);
  const note = (...words) => make("p", { class: "note" }, ...words);
  const missing = (...words) => make("p", { class: "missing" }, "not computed", ...words);
  const caption = (...words) => make("figcaption", {}, ...words);
  const { short } = Charts;
  const SMALLEST_CROP = 0.1; // of the shorter side, as on the plates of photographs
  const LARGE_BELOW = 0.5; // smaller crops are cut from the larger file
  const WHOLE = 0.8; // of the shorter side: such a crop shows nothing that the photograph does not
  const QUANTILES = ["low, 10 %", "middle, 50 %", "high, 90 %"];

  // Of some photographs there is a small picture and no page.
  const page = (key, bare) => (bare ? file(key) : `${Konvolut.root}images/${encodeURIComponent(key)}.html`);
  const file = (key, size = "photo") => `${Konvolut.root}images/${size}/${encodeURIComponent(key)}.webp`;
  const percent = (share) => `${Math.round(share * 1000) / 10}%`;

  // What columns.js and a details file say of one unit; details.py draws them.
  function facts(data, { series, natural }, unit) {
    const pictures = {};
    for (const { prefix, activation, slot } of series) {
      const of = column(data.pictures?.[prefix], unit);
      if (of) pictures[prefix] = { ...of, reached: activation[slot.get(unit)] };
    }
    return { natural, pictures, ...column(data.of, unit) };
  }

  function column(columns, unit) {
    const place = Konvolut.ranges(columns?.units || "").indexOf(unit);
    return place < 0 ? null : Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[place]]));
  }

  // (key, name, answer, whether it has no page), value and box of each photograph.
  function shots({ photographs }, [numbers, values, text]) {
    const fine = Charts.levels(text);
    const box = (corner) => [0, 2, 4, 6].map((at) => (fine[corner + at] * 64 + fine[corner + at + 1]) / 4095);
    return numbers.map((number, place) => [photographs[number], values[place], box(8 * place)]);
  }

  function examples(facts, data) {
    const title = "Photographs that excite it most";
    if (!facts.examples) return section(title, missing());
    return section(title, make("div", { class: "shots" }, ...shots(data, facts.examples).map(shot)), classes(facts, data), between(facts, data));
  }

  // The receptive field cut out, beside the whole photograph with its box.
  function shot([[key, name, answer, bare], value, box]) {
    const link = { href: page(key, bare), title: answer ? `${name} (${answer})` : name };
    const image = make("img", { alt: `${name}, ${short(value)}` });
    const whole = make("a", { class: "whole", ...link }, image);
    const shown = make("div", {}, whole);
    image.addEventListener("load", () => {
      const size = [image.naturalWidth, image.naturalHeight];
      whole.style.setProperty("--r", size[0] / size[1]);
      const [left, top, right, bottom] = box;
      whole.append(make("span", { class: "box", style: `inset:${[top, 1 - right, 1 - bottom, left].map(percent).join(" ")}` }));
      const cut = crop(key, box, size, bare);
      if (cut) shown.prepend(make("a", { class: "cut", ...link, tabindex: -1, "aria-hidden": "true" }, cut));
    });
    image.src = file(key);
    return make("figure", { class: "shot" }, shown, caption(make("b", {}, short(value)), ` ${name}`));
  }

  function crop(key, [left, top, right, bottom], [wide, tall], bare, always) {
    const shorter = Math.min(wide, tall);
    const side = Math.min(shorter, Math.max((right - left) * wide, (bottom - top) * tall, SMALLEST_CROP * shorter));
    if (side > WHOLE * shorter && !always) return null;
    const begin = (low, high, size) => Math.max(0, Math.min(size - side, ((low + high) / 2) * size - side / 2));
    const cut = make("img", { src: file(key, !bare && side < LARGE_BELOW * shorter ? "large" : "photo"), alt: "" });
    cut.style.cssText = `width:${percent(wide / side)};height:${percent(tall / side)};left:${percent(-begin(left, right, wide) / side)};top:${percent(-begin(top, bottom, tall) / side)}`;
    return cut;
  }

  function between(facts, data) {
    if (!facts.between) return null;
    const groups = facts.between.map(([value, ...group], place) => make("figure", {}, make("div", {}, ...shots(data, group).map(small)),
      caption(`${QUANTILES[place]}: ${short(value)}${group[0].length ? "" : ", as before"}`)));
    return make("div", {}, make("h3", {}, "And less"), make("div", { class: "between" }, ...groups));
  }

  function small([[key, name, , bare], value, box]) {
    const tile = make("a", { class: "cut", href: page(key, bare), title: `${name}, ${short(value)}`, "aria-label": `${name}, ${short(value)}` });
    const probe = make("img", { alt: "" });
    probe.addEventListener("load", () => tile.append(crop(key, box, [probe.naturalWidth, probe.naturalHeight], bare, true)));
    probe.src = file(key);
    return tile;
  }

  // Units are shown by the photograph that excites them most: a tile of the plate that every layer with evidence has.
  function thumb([model, name, count], unit, words) {
    const folder = `../${encodeURIComponent(model)}/${encodeURIComponent(name)}`;
    const plates = { folder, prefix: "examples", list: { length: count }, sheets: { plate: { columns: 8, rows: 8, width: 1, height: 1 } } };
    const label = `${model} ${name}:${unit}, ${words}`;
    return make("a", { href: `${folder}.html#u${unit}`, title: label }, Konvolut.cell(plates, "plate", unit, label));
  }

  const RELATIONS = { inside: "in this layer", across: "in other layers" };
  const relation = (name) => RELATIONS[name] || `in ${name}`;

  function alike(facts, { places, wanted }, over) {
    if (!facts.alike && !wanted) return null;
    if (!facts.alike) {
      return section("Look-alikes and trust", missing(`: fewer than ${wanted} photographs tell too little`));
    }
    const rows = facts.alike.map(([name, chance, found]) => make("div", {}, note(found.length ? `${relation(name)}, correlation ${found[0][2]} to ${found.at(-1)[2]} (chance alone: ${chance})` : `${relation(name)}: none above chance (${chance})`),
    make("div", { class: "alike" }, ...found.map(([place, unit, value]) => thumb(places[place], unit, `correlation ${value}`)))));
    return section("Look-alikes", ...rows, note(`by their maxima over ${over} photographs`));
  }

  function trust(facts, places) {
    if (!facts.trust) return null;
    const twins = facts.trust.twins.map(([name, place, unit, reached, best, deviations]) => make("tr", {}, make("td", {}, thumb(places[place], unit, "twin")),
      make("td", {}, `Its twin ${relation(name)} reaches ${short(reached)}`, make("br"), `${deviations > 0 ? "+" : ""}${short(deviations)} deviations from its mean; ${short(best)} on its best photograph`)));
    const path = facts.trust.path.filter(([, share]) => share != null).map(([name, share]) => `${name} ${share}`);
    const way = path.length ? `Its way through the layers below, 1 as its best photographs', 0 as any: ${path.join(", ")}.` : "";
    if (!twins.length && !way) return null;
    return section("Does the picture tell the truth?", twins.length > 0 && make("table", { class: "twins" }, make("tbody", {}, ...twins)),
      way && note(way));
  }

  function classes(facts, data) {
    const list = (facts.classes || []).map(([name, share]) => `${data.classes[name]} ${Math.round(share * 100)} %`);
    return list.length ? note(data.best, list.join(", ")) : null;
  }

  function numbers({ natural, more: [median, high, dead] = [] }, unit) {
    const of = (name) => short(natural[name]?.[unit]);
    const rows = [["maximum", of("max")]];
    if (high !== undefined) rows.push(["99 %", short(high)], ["median", short(median)]);
    rows.push(["mean", of("mean")], ["deviation", of("std")], ["active on", `${Math.round(natural.active[unit] * 100)} %`]);
    if (high !== undefined) rows.push(["selectivity", dead ? "dead" : of("selectivity")]);
    return make("dl", { class: "numbers" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  return { section, note, missing, caption, page, file, facts, examples, numbers, alike, trust };
})();
