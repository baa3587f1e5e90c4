"use strict";
/* Stars and notes: kept in this browser under the unit's citation, written to a file as JSON. */
const Notes = (() => {
  const { kept, make } = Konvolut;

  // The permanent name of a unit: it holds for any atlas of the same weights.
  const citation = ({ timm, hash, layer }, unit) => `${timm}@${hash || "unknown"}/${layer}/${unit}`;
  const page = ({ model, folder }, unit) => `${Konvolut.path(model, folder)}.html#u${unit}`;

  const all = () => {
    try { return JSON.parse(kept.get("notes")) || {}; } catch { return {}; }
  };

  function change(name, changes) {
    const notes = all();
    const entry = { star: false, note: "", ...notes[name], ...changes };
    if (entry.star || entry.note) notes[name] = entry;
    else delete notes[name];
    kept.set("notes", JSON.stringify(notes));
    return entry;
  }

  function save() {
    const text = JSON.stringify({ format: "konvolut-notes/1", notes: all() }, null, 1);
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "konvolut-notes.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  return { citation, page, all, change, save };
})();
