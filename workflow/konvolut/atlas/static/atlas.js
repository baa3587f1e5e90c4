/* What every page shares: theme, help, single keys, data files and a way to make elements. */
const Konvolut = (() => {
  const html = document.documentElement;
  const received = {};
  const coming = {};
  const assets = document.currentScript.src.replace(/[^/]*$/, "");
  const kept = {
    get: (name) => { try { return localStorage.getItem("konvolut-" + name); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem("konvolut-" + name, value); } catch { /* private window */ } },
  };

  // Text only ever becomes text: names are the user's and may hold markup.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name.startsWith("--")) element.style.setProperty(name, value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null && child !== false));
    return element;
  }

  const script = (src) => new Promise((done, failed) => {
    const tag = make("script", { src, onload: done, onerror: () => failed(new Error(src)) });
    tag.async = false; // in the order in which they were asked for
    document.head.append(tag);
  });

  // Data comes as classic scripts that call ATLAS: fetch is blocked under file://.
  function load(url) {
    const whole = new URL(url, location).href;
    return coming[whole] ??= received[whole] ? Promise.resolve(received[whole]) : script(url).then(() => received[whole] || Promise.reject(new Error(url)));
  }

  const path = (...names) => names.map(encodeURIComponent).join("/");

  // The columns of a layer, its series with their folder and the slot of each unit.
  function opened(columns, folder) {
    for (const series of columns.series) {
      series.folder = folder;
      series.list = ranges(series.units);
      series.slot = new Map(series.list.map((unit, slot) => [unit, slot]));
    }
    return { ...columns, folder };
  }

  // 256 units lie in a file, as units.py cuts them.
  const details = (folder, unit) => load(`${folder}/details-${Math.floor(unit / 256)}.js`);

  function ranges(text) {
    return text.split(",").filter(Boolean).flatMap((part) => {
      const [low, high = low] = part.split("-").map(Number);
      return Array.from({ length: high - low + 1 }, (_, number) => low + number);
    });
  }

  // Where the tile number `slot` lies: its file and place.
  function place(series, kind, slot) {
    if (!series.sheets[kind]) kind = "plate";
    const { columns, rows, width, height } = series.sheets[kind];
    const file = Math.floor(slot / (columns * rows));
    const inside = slot % (columns * rows);
    const left = Math.ceil(series.list.length / columns) - file * rows; // the last sheet has only the rows it needs
    return {
      file: `${series.folder}/${kind === "plate" ? "" : kind + "-"}${series.prefix}-${file}.webp`,
      x: inside % columns, y: Math.floor(inside / columns), n: columns, rows: Math.min(rows, left), r: width / height,
    };
  }

  function cell(series, kind, slot, alt) {
    const at = place(series, kind, slot);
    return make("span", { class: "cell", "--x": at.x, "--y": at.y, "--n": at.n, "--r": at.r }, make("img", { src: at.file, alt }));
  }

  const copyButton = (text, label) => make("button", { onclick: (event) => copy(text(), event.target, label) }, label);

  async function copy(text, button, label) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no clipboard without a secure context, as in some browsers under file://
      const area = make("textarea", {}, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = label; }, 1200);
  }

  function dark() {
    const chosen = html.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function turnDark() {
    html.dataset.theme = dark() ? "light" : "dark";
    kept.set("theme", html.dataset.theme);
  }

  const keys = [["/", "search", () => { location.href = `${new URL("..", assets)}index.html#q=`; }], ["d", "dark or light", turnDark], ["?", "this help", help]];

  function help() {
    const open = document.querySelector("dialog[open]");
    if (open) return open.close();
    const single = make("input", { type: "checkbox", onchange: () => kept.set("keys", single.checked ? "on" : "off") });
    single.checked = kept.get("keys") !== "off";
    const rows = keys.map(([key, words]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, words)));
    const dialog = make("dialog", { "aria-label": "Keyboard", onclose: () => dialog.remove() },
      make("h2", {}, "Keyboard"), make("table", {}, make("tbody", {}, ...rows)),
      make("p", {}, make("label", {}, single, " single keys are on")),
      make("button", { onclick: () => dialog.close() }, "Close"));
    document.body.append(dialog);
    dialog.showModal();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), textarea, select");
    if (typing && event.key !== "Escape") return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    if (event.key.length === 1 && kept.get("keys") === "off") return;
    const found = keys.find(([key]) => key.split(" ").includes(event.key));
    if (found && found[2](event) !== false) event.preventDefault();
  }

  function start() {
    const links = document.querySelector(".links");
    links.append(
      make("button", { class: "plain", "aria-label": "Dark or light", title: "Dark or light (d)", onclick: turnDark }, "◐"),
      make("button", { class: "plain", "aria-label": "Keyboard help", title: "Keyboard (?)", onclick: help }, "?"));
    document.addEventListener("keydown", onKey);
  }

  html.classList.add("js");
  html.classList.toggle("waits", location.hash.startsWith("#u")); // for a unit: a layer's page keeps its panel's room
  const theme = kept.get("theme");
  if (theme) html.dataset.theme = theme;
  document.addEventListener("DOMContentLoaded", start);
  const root = new URL("..", assets).href;
  return { html, root, received, kept, make, load, path, opened, details, ranges, place, cell, copyButton, keys };
})();

function ATLAS(data) { Konvolut.received[data.kind] = Konvolut.received[document.currentScript.src] = data; }
