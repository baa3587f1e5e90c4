/* The search of the front page: models, layers, photographs and units, as one types. */
(() => {
  const { make, ranges, path } = Konvolut;
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const contents = document.getElementById("contents");
  const MOST = 24; // hits of a kind that are listed; all are counted
  let known = null;

  const wanted = () => Konvolut.load("search.js", "search").then((data) => { known = data; });

  // "conv3:17", "layer4 17" and "17" are units; other words must all stand in a name.
  function search(query) {
    const text = query.trim().toLowerCase();
    const [, before = "", number] = text.match(/^(?:(.+)[\s:])?(\d+)$/) || [];
    const fits = (name, words = text) => words.split(/\s+/).every((word) => name.toLowerCase().includes(word));
    const layers = known.models.flatMap((model) => model.layers.map((layer) => ({ model, layer, name: `${model.id} ${layer.name}` })));
    const units = number === undefined ? byWord(layers, fits) : layers.filter(({ name }) => !before || fits(name, before))
      .flatMap((place) => hit(place, Number(number)));
    return {
      Models: known.models.filter((model) => fits(`${model.id} ${model.timm}`)).map((model) => link(`${path(model.folder)}/index.html`, model.id)),
      Layers: layers.filter(({ name }) => fits(name)).map(({ model, layer, name }) => link(`${path(model.folder, layer.folder)}.html`, name)),
      Classes: known.classes.filter(([name]) => fits(name)).map(([name, page, picture]) => link(`classes/${page}`, name, `classes/${picture}`)),
      Photographs: known.photographs.filter(([, name]) => fits(name)).map(([key, name, bare]) => link(`images/${bare ? `photo/${path(key)}.webp` : `${path(key)}.html`}`, name, `images/photo/${path(key)}.webp`)),
      Units: units,
    };
  }

  // Units by the name of their class, or by the photograph that excites them most.
  function byWord(layers, fits) {
    const photographs = new Set(known.photographs.flatMap(([, name], number) => (fits(name) ? [number] : [])));
    return layers.flatMap((place) => {
      const { names, top } = place.layer;
      const chosen = names.length ? names.flatMap((name, unit) => (fits(name) ? [unit] : []))
        : photographs.size ? top.flatMap((photo, unit) => (photographs.has(photo) ? [unit] : [])) : [];
      return chosen.flatMap((unit) => hit(place, unit));
    });
  }

  function hit({ model, layer, name }, unit) {
    if (!layer.series) return [];
    layer.slots ??= new Map(ranges(layer.series.units).map((channel, slot) => [channel, slot]));
    if (!layer.slots.has(unit)) return [];
    const photo = known.photographs[layer.top[unit]];
    return [{ address: `${path(model.folder, layer.folder)}.html#u${unit}`, name: `${name}:${unit}`, note: layer.names[unit] || photo?.[1] || "", layer, model, unit }];
  }

  const link = (address, name, picture) => ({ address, name, picture });

  function draw() {
    const query = field.value.trim();
    contents.hidden = Boolean(query);
    found.hidden = !query;
    if (!query) return found.replaceChildren();
    const groups = Object.entries(search(query)).filter(([, hits]) => hits.length);
    const sections = groups.map(([kind, hits]) => make("section", {}, make("h2", {}, kind, make("small", {}, hits.length > MOST ? `${MOST} of ${hits.length.toLocaleString("en")}` : `${hits.length}`)),
      make("ul", { class: `hits ${["Models", "Layers"].includes(kind) ? "" : "pictured"} ${["Layers", "Units"].includes(kind) ? "path" : ""}` }, ...hits.slice(0, MOST).map((one) => make("li", {}, entry(one))))));
    found.replaceChildren(...(sections.length ? sections : [make("p", { class: "missing" }, "Nothing is called that.")]));
  }

  function entry({ address, name, picture, note, layer, model, unit }) {
    const image = picture ? make("span", { class: "cell", "--n": 1, "--x": 0, "--y": 0 }, make("img", { src: picture, alt: "", loading: "lazy" }))
      : layer ? Konvolut.cell({ ...layer.series, folder: path(model.folder, layer.folder), list: [...layer.slots.keys()] }, "plate", layer.slots.get(unit), "") : null;
    return make("a", { href: address }, image, make("span", { class: "name" }, name), note && make("span", { class: "facts" }, note));
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
