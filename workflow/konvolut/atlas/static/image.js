/* The page of a photograph: how much of the map covers it, and its neighbours by key. */
(() => {
  const tools = document.getElementById("tools");
  if (tools) {
    const mix = document.getElementById("mix");
    tools.hidden = false;
    mix.addEventListener("input", () => document.body.style.setProperty("--mix", mix.value / 100));
  }
  const go = (way) => { const link = document.querySelector(`a[rel=${way}]`); if (link) location.href = link.href; else return false; };
  Konvolut.keys.unshift(["[", "previous photograph", () => go("prev")], ["]", "next photograph", () => go("next")]);
})();
