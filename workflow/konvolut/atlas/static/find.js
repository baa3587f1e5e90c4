/* The search of the front page: models, layers, photographs and units, as one types. */
(() => {
  const { make, ranges, path } = Konvolut;
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const contents = document.getElementById("contents");
  const MOST = 12; // hits of a kind that are listed at first, each with a sheet to be decoded; all are counted
  let known = null;

  const wanted = () => Konvolut.load("search.js", "search").then((data) => { known = data; });

  // "conv3:17", "layer4 17" and "17" are units; other words must all stand in a name.
  function search(query) {
    const text = query.trim().toLowerCase();
    const [, before = "", number] = text.match(/^(?:(.+)[\s:])?(\d+)$/) || [];
    const among = (words) => { const all = words.split(/\s+/); return (name) => { const own = name.toLowerCase(); return all.every((word) => own.includes(word)); }; };
    const fits = among(text);
    const layers = known.models.flatMap((model) => model.layers.map((layer) => ({ model, layer, name: `${model.id} ${layer.name}` })));
    return {
      Models: known.models.filter((model) => fits(`${model.id} ${model.timm}`)).map((model) => link(`${path(model.folder)}/index.html`, model.id)),
      Layers: layers.filter(({ name }) => fits(name)).map(({ model, layer, name }) => link(`${path(model.folder, layer.folder)}.html`, name)),
      Classes: known.classes.filter(([name]) => fits(name)).map(([name, page, picture]) => link(`classes/${page}`, name, `classes/${picture}`)),
      Photographs: known.photographs.filter(([, name]) => fits(name)).map(([key, name, bare]) => link(`images/${bare ? `photo/${path(key)}.webp` : `${path(key)}.html`}`, name, `images/photo/${path(key)}.webp`)),
      Units: number === undefined ? byWord(layers, fits)
        : layers.filter(({ name, layer }) => among(before)(name) && has(layer, Number(number))).map((place) => [place, Number(number)]),
    };
  }

  // Units by the name of their class, or by the photograph that excites them most: thousands, of which few are shown.
  function byWord(layers, fits) {
    const photographs = known.photographs.map(([, name]) => fits(name));
    const found = [];
    for (const place of layers) {
      const { names, top } = place.layer;
      for (let unit = 0; unit < place.layer.count; unit += 1) {
        if ((names.length ? fits(names[unit]) : photographs[top[unit]]) && has(place.layer, unit)) found.push([place, unit]);
      }
    }
    return found;
  }

  // Whether there is anything to show of the unit: a picture, or the photograph that excites it most.
  const has = (layer, unit) => pictured(layer, unit) || layer.top[unit] >= 0;

  function pictured(layer, unit) {
    layer.spans ??= (layer.series?.units || "").split(",").filter(Boolean).map((part) => part.split("-").map(Number));
    return layer.spans.some(([low, high = low]) => low <= unit && unit <= high);
  }

  function hit([{ model, layer, name }, unit]) {
    const photo = known.photographs[layer.top[unit]];
    return { address: `${path(model.folder, layer.folder)}.html#u${unit}`, name: `${name}:${unit}`, note: layer.names[unit] || (photo ? `best: ${photo[1]}` : ""), layer, model, unit };
  }

  const link = (address, name, picture) => ({ address, name, picture });

  function draw() {
    const query = field.value.trim();
    contents.hidden = Boolean(query);
    found.hidden = !query;
    if (!query) return found.replaceChildren();
    const groups = Object.entries(search(query)).filter(([, hits]) => hits.length);
    const sections = groups.map(([kind, hits]) => section(kind, hits));
    found.replaceChildren(...(sections.length ? sections : [make("p", { class: "missing" }, "Nothing is called that.")]));
  }

  function section(kind, hits) {
    const items = (some) => some.map((one) => make("li", {}, entry(kind === "Units" ? hit(one) : one)));
    const whole = hits.length.toLocaleString("en");
    const count = make("small", {}, hits.length > MOST ? `${MOST} of ${whole}` : whole);
    const list = make("ul", { class: `hits ${["Models", "Layers"].includes(kind) ? "" : "pictured"} ${["Layers", "Units"].includes(kind) ? "path" : ""}` }, ...items(hits.slice(0, MOST)));
    const more = hits.length > MOST && make("button", { onclick: showAll }, `show all ${whole}`);
    return make("section", {}, make("h2", {}, kind, count), list, more);

    function showAll() {
      list.append(...items(hits.slice(MOST)));
      list.children[MOST].querySelector("a").focus(); // the button is gone, and the reader goes on where it stood
      count.textContent = whole;
      more.remove();
    }
  }

  function entry({ address, name, picture, note, layer, model, unit }) {
    const image = picture ? make("span", { class: "cell", "--n": 1, "--x": 0, "--y": 0 }, make("img", { src: picture, alt: "", loading: "lazy" }))
      : layer ? tile(model, layer, unit) : null;
    return make("a", { href: address }, image, make("span", { class: "name" }, name), note && make("span", { class: "facts" }, note));
  }

  // Its picture, or else the photograph: a tile of the plate that every layer with evidence has.
  function tile(model, layer, unit) {
    const list = layer.list ??= ranges(layer.series.units);
    const own = pictured(layer, unit);
    const series = own ? { ...layer.series, list } : { prefix: "examples", list: { length: layer.count }, sheets: { plate: { columns: 8, rows: 8, width: 1, height: 1 } } };
    return Konvolut.cell({ ...series, folder: path(model.folder, layer.folder) }, "plate", own ? list.indexOf(unit) : unit, "");
  }

  async function type() {
    if (!known) await wanted();
    draw();
    const query = field.value.trim();
    history.replaceState(null, "", location.href.split("#")[0] + (query && `#q=${encodeURIComponent(query)}`));
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1)).get("q");
    if (given === null) return;
    field.value = given;
    if (given) wanted().then(draw);
    else field.focus();
  }

  field.hidden = false;
  field.addEventListener("focus", () => known || wanted().catch(() => {}));
  field.addEventListener("input", type);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") found.querySelector("a")?.click();
    if (event.key === "Escape") { field.value = ""; type(); }
  });
  addEventListener("hashchange", read);
  Konvolut.keys.unshift(["/", "search", () => field.focus()]);
  read();
})();
