/* A layer's page: its state lives in the address (#u447&t=dreams-cat&s=max&q=cat&z=96&f=1); tools and keys change it. */
(() => {
  const { make, keys, ranges } = Konvolut;
  const $ = (id) => document.getElementById(id);
  const TITLES = { channels: "Features", dreams: "Dreams", accentuation: "Accents", examples: "Photographs", maps: "Maps", kernels: "Kernels" };
  // Pictures from noise by other objectives stand under Features, where a list tells them apart.
  const kind = ({ technique }) => (["neuron", "negative", "diversity", "maco"].includes(technique) ? "channels" : technique);
  const { title } = document;
  const HOVER_MS = 140; // shorter flickers while the pointer crosses the grid
  const { folder, layer: name, series: first } = Grid.element.dataset;
  let layer;
  let state;
  let order = [];
  let preview;
  let still; // where the pointer clicked: a tile that then moves under it is not pointed at

  const find = (prefix) => layer.series.find((series) => series.prefix === prefix);
  const techniques = () => Object.keys(TITLES).map((name) => layer.series.find((series) => kind(series) === name)).filter(Boolean);

  function readAddress() {
    const [unit] = location.hash.slice(1).split("&");
    const given = new URLSearchParams(location.hash.slice(1));
    const number = /^u\d+$/.test(unit) ? Number(unit.slice(1)) : Infinity;
    return {
      unit: number < layer.count ? number : null,
      t: (find(given.get("t")) || find(first))?.prefix,
      s: Grid.SORTS[given.get("s")] ? given.get("s") : "index",
      q: given.get("q") || "", z: fitting(Number(given.get("z"))), f: given.get("f") === "1", b: given.get("b") === "1", x: given.get("x") === "1",
    };
  }

  // Sizes of tiles are those of the slider; 0 is the page's own.
  const fitting = (size) => (size > 0 ? Math.min($("size").max, Math.max($("size").min, size)) : 0);

  function address() {
    const usual = { t: first, s: "index", q: "", z: 0, f: false, b: false, x: false };
    const parts = Object.keys(usual).filter((key) => state[key] && state[key] !== usual[key])
      .map((key) => `${key}=${encodeURIComponent(state[key] === true ? 1 : state[key])}`);
    return "#" + (state.unit === null ? [] : [`u${state.unit}`]).concat(parts).join("&");
  }

  // What is chosen is a step in the browser's history, a filter one as a whole; sliding and stepping are none.
  function go(changes, steps) {
    const before = state;
    state = { ...state, ...changes };
    const slides = steps || "z" in changes || ("q" in changes && before.q && state.q);
    if (address() !== location.hash) history[slides ? "replaceState" : "pushState"](null, "", address());
    update(before);
  }

  function update(before = {}) {
    const changed = (...names) => names.some((key) => before[key] !== state[key]);
    if (changed("t", "s", "q", "z")) draw();
    document.body.classList.toggle("full", state.f && state.unit !== null);
    document.title = (state.unit === null ? "" : `Unit ${state.unit} · `) + title;
    Grid.mark(state.unit);
    if (state.unit === null) Grid.close();
    else if (changed("unit", "t", "b", "x")) Panel.show(state.unit, state);
  }

  function draw() {
    const series = find(state.t);
    const natural = state.s === "index" && !state.q;
    order = series ? Grid.arrange(series, state.s, state.q) : [];
    Grid.draw(series, order, natural, state.z);
    if (!series) return;
    $("techniques").replaceChildren(...techniques().map((other, number) => make("button", {
      title: `key ${number + 1}`, "aria-pressed": String(kind(series) === kind(other)),
      onclick: () => go({ t: other.prefix }),
    }, TITLES[kind(other)])));
    const starts = layer.series.filter((other) => kind(other) === kind(series));
    $("start-label").hidden = starts.length < 2;
    $("start").replaceChildren(...starts.map((other) => new Option(other.prefix === "channels" ? "whole channel" : other.title, other.prefix, false, other === series)));
    $("sort").value = state.s;
    if ($("filter").value !== state.q) $("filter").value = state.q;
    $("size").value = state.z || Grid.usual();
    $("count").textContent = state.q ? `${order.length} of ${series.list.length}` : "";
  }

  function step(way) {
    const at = order.indexOf(state.unit);
    const next = at < 0 ? order[0] : order[at + way];
    if (next === undefined) return false;
    const walks = focused();
    go({ unit: next }, at >= 0);
    if (walks) Grid.tileOf(next).focus({ preventScroll: true }); // else Enter would open the one that was left
  }

  const focused = () => document.activeElement.closest("#grid a");

  // What only hovers goes first, and stays away until the pointer is over another tile.
  function dismiss() {
    clearTimeout(preview?.timer);
    if (!preview?.box) return close();
    preview.box.remove();
    preview.box = null;
  }

  function close() {
    if (state.unit === null) return state.q ? go({ q: "" }) : false;
    const tile = Grid.tileOf(state.unit);
    go({ unit: null, f: false });
    tile?.focus({ preventScroll: true });
  }

  // The comparison that the reader came from goes on; else it begins with this unit.
  function pin() {
    const here = Konvolut.path(layer.again.model, decodeURIComponent(folder), String(state.unit));
    const pinned = (Konvolut.kept.get("pinned") || "").split(",").filter((one) => one && one !== here);
    location.href = `../compare.html#${[...pinned, here].join(",")}`;
  }

  const ofUnit = (deed) => () => (state.unit === null ? false : deed());
  const toggle = (name) => ofUnit(() => go({ [name]: !state[name] }));

  function walk(dx, dy) {
    const from = Grid.tileOf(state.unit) || focused();
    if (!from || document.activeElement.matches("input, #panel *, #panel")) return false; // there they scroll
    const next = Grid.beside(from, dx, dy);
    if (!next) return;
    from.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    if (state.unit !== null) go({ unit: unitOf(next) }, true);
  }

  const unitOf = (link) => Number(link.id.slice(1));

  async function neighbours() {
    const { layers } = await Konvolut.load("layers.js", "layers");
    const at = layers.findIndex(([other]) => other === name);
    const [before, after] = [layers[at - 1], layers[at + 1]];
    const visit = (other) => (other ? void (location.href = other[1]) : false);
    keys.push(["[", "previous layer", () => visit(before)], ["]", "next layer", () => visit(after)]);
    $("neighbours").append(`layer ${at + 1} of ${layers.length} `,
      before ? make("a", { href: before[1], title: "key [" }, `‹ ${before[0]}`) : "", before && after ? " · " : "",
      after ? make("a", { href: after[1], title: "key ]" }, `${after[0]} ›`) : "");
  }

  function hover(link) {
    if (link === preview?.link) return;
    clearTimeout(preview?.timer);
    preview?.box?.remove();
    preview = { link, timer: link && setTimeout(() => { preview.box = float(link); }, HOVER_MS) };
  }

  function float(link) {
    const series = find(state.t);
    const slot = series.slot.get(unitOf(link));
    const reached = series.activation[slot];
    const facts = [reached == null ? "" : `reaches ${Charts.short(reached)}`, Grid.called(unitOf(link))].filter(Boolean).join(" · ");
    const box = make("div", { class: "preview", "aria-hidden": "true" }, Konvolut.cell(series, "large", slot, ""),
      make("p", {}, make("span", {}, `unit ${unitOf(link)}`), make("span", {}, facts)));
    document.body.append(box);
    const at = link.getBoundingClientRect();
    const right = at.right + 8 + box.offsetWidth;
    box.style.left = `${Math.max(4, right < innerWidth ? at.right + 8 : at.left - 8 - box.offsetWidth)}px`;
    box.style.top = `${Math.max(4, Math.min(at.top - 40, innerHeight - box.offsetHeight - 4))}px`;
    return box;
  }

  function open(event) {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    hover(null);
    still = at(event);
    go({ unit: unitOf(link) });
    if (event.detail === 0) $("panel").querySelector("h2")?.focus(); // Enter: the reader goes on inside
  }

  const at = ({ clientX, clientY }) => `${Math.floor(clientX)} ${Math.floor(clientY)}`; // of clicks they are whole

  function listen() {
    const on = (id, name, deed) => $(id).addEventListener(name, deed);
    on("grid", "click", open);
    on("grid", "pointerover", (event) => event.pointerType === "mouse" && at(event) !== still && hover(event.target.closest("a")));
    on("grid", "pointerleave", () => hover(null));
    addEventListener("scroll", () => hover(null), { passive: true });
    for (const [id, key] of [["sort", "s"], ["start", "t"]]) on(id, "change", (event) => go({ [key]: event.target.value }));
    on("size", "input", (event) => go({ z: Number(event.target.value) }));
    on("filter", "input", (event) => go({ q: event.target.value }));
    on("filter", "keydown", (event) => event.key === "Enter" && order.length && go({ unit: order[0] }));
    addEventListener("popstate", () => {
      const before = state;
      state = readAddress();
      update(before);
    });
  }

  function nameKeys() {
    const arrows = { Left: [-1, 0], Right: [1, 0], Up: [0, -1], Down: [0, 1] };
    keys.unshift(["j", "next unit", () => step(1)], ["k", "previous unit", () => step(-1)],
      ["/", "filter", () => $("filter").focus()], ["f", "full width", toggle("f")], ["r", "before and after", toggle("b")], ["x", "only the boxes of photographs", toggle("x")],
      ["c", "compare with other units", ofUnit(pin)], ["s", "star", ofUnit(Panel.star)], ["Escape", "close", dismiss],
      ["1 2 3 4 5 6", "technique", (event) => (techniques()[event.key - 1] ? go({ t: techniques()[event.key - 1].prefix }) : false)],
      ["ArrowLeft ArrowRight ArrowUp ArrowDown", "walk over the grid", (event) => walk(...arrows[event.key.slice(5)])]);
  }

  function begin(columns) {
    layer = Konvolut.opened(columns, folder);
    Grid.begin(layer);
    Panel.begin(layer, { step, close, go, pin, full: toggle("f") });
    const sorts = Object.entries(Grid.SORTS).filter(([key]) => Grid.sortable(key));
    $("sort").append(...sorts.map(([key, words]) => new Option(words, key)));
    $("tools").hidden = false;
    nameKeys();
    listen();
    state = readAddress();
    update();
    neighbours().catch(() => {}); // the list comes with the model's page, which a running sweep has not made yet
  }

  const [, unit] = location.hash.match(/^#u(\d+)/) || [];
  if (unit) Konvolut.details(folder, unit).catch(() => {}); // with the columns
  Konvolut.load(`${folder}/columns.js`, "columns").then(begin);
})();
