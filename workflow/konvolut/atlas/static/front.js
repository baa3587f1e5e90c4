/* The front page: a unit by chance. */
(() => {
  const button = document.getElementById("random");
  const layers = JSON.parse(button.dataset.units).flat();
  if (!layers.length) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const counted = layers.map(([url, units]) => [url, Konvolut.ranges(units)]);
    let left = Math.floor(Math.random() * counted.reduce((sum, [, units]) => sum + units.length, 0));
    for (const [url, units] of counted) {
      if (left < units.length) { location.href = `${url}#u${units[left]}`; return; }
      left -= units.length;
    }
  });
})();
