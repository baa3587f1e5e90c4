"use strict";
/* The page of a model: which series the strips show. */
(() => {
  const choice = document.getElementById("series");
  if (!choice) return;
  document.getElementById("tools").hidden = false;
  function show() {
    for (const strip of document.querySelectorAll(".strip")) {
      const images = [...strip.children];
      const wanted = images.find((image) => image.dataset.series === choice.value);
      for (const image of images) image.hidden = image !== (wanted || images.at(-1));
      if (wanted && !wanted.getAttribute("src")) wanted.src = wanted.dataset.src;
    }
  }
  choice.addEventListener("change", show);
  show();
})();
