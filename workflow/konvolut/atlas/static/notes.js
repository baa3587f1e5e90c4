/* Stars and notes: kept in this browser under the unit's citation. */
const Notes = (() => {
  const { kept } = Konvolut;

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

  return { citation, page, all, change };
})();
