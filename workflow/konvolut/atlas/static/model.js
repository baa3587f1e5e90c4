"use strict";
/* The page of a model: which series the strips show. */
(() => {
  const choice = document.getElementById("series");
  if (!choice) return;
  document.getElementById("tools").hidden = false;
  function show() {
    for (const strips of document.querySelectorAll(".strips")) {
      const images = [...strips.children];
      const wanted = images.find((image) => image.dataset.series === choice.value);
      for (const image of images) image.hidden = image !== wanted;
      if (wanted && !wanted.src) wanted.src = wanted.dataset.src;
    }
  }
  choice.addEventListener("change", show);
  show();
})();
