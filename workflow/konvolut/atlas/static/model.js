/* The page of a model: which series the strips show; the address says it too (#t=examples). */
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
  function read() {
    const given = new URLSearchParams(location.hash.slice(1)).get("t");
    choice.value = [...choice.options].some(({ value }) => value === given) ? given : choice.options[0].value;
    show();
  }
  choice.addEventListener("change", () => {
    const usual = choice.selectedIndex === 0;
    history.pushState(null, "", location.href.split("#")[0] + (usual ? "" : `#t=${encodeURIComponent(choice.value)}`));
    show();
  });
  addEventListener("popstate", read);
  read();
})();
