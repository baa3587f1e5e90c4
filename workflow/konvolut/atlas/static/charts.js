"use strict";
/* Small drawings of the unit panel, as SVG made of elements. */
const Charts = (() => {
  const WIDTH = 200;
  const HEIGHT = 64;

  function draw(tag, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const frame = (label, ...parts) =>
    draw("svg", { class: "chart", viewBox: `0 -12 ${WIDTH} ${HEIGHT + 28}`, role: "img", "aria-label": label }, ...parts,
      draw("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }));
  const text = (x, y, words, anchor = "start", kind = "") => draw("text", { x, y, "text-anchor": anchor, class: kind }, words);
  const short = (value) => (value == null ? "–" : String(Number(value.toPrecision(3))));

  // The unit's maxima over the photographs, and where the finished picture lies.
  function histogram(counts, edges, own) {
    const low = Math.min(edges[0], own ?? edges[0]);
    const high = Math.max(edges[1], own ?? edges[1]);
    const scale = (value) => ((value - low) / (high - low || 1)) * WIDTH;
    const most = Math.max(...counts, 1);
    const step = (edges[1] - edges[0]) / counts.length;
    const bars = counts.map((count, number) => draw("rect", {
      x: scale(edges[0] + number * step), y: HEIGHT - (count / most) * HEIGHT,
      width: Math.max(1, scale(edges[0] + step) - scale(edges[0]) - 0.5), height: (count / most) * HEIGHT }));
    const parts = [draw("g", { class: "bars" }, ...bars), text(0, HEIGHT + 13, short(low)), text(WIDTH, HEIGHT + 13, short(high), "end")];
    if (own != null) {
      const x = scale(own);
      parts.push(draw("line", { class: "own", x1: x, x2: x, y1: -2, y2: HEIGHT }),
        text(x, -4, "this picture", x > WIDTH / 2 ? "end" : "start", "own-text"));
    }
    return frame(`Histogram of the unit's maxima from ${short(edges[0])} to ${short(edges[1])}` +
      (own == null ? "" : `; the picture reaches ${short(own)}`), ...parts);
  }

  // The objective from the first step to the last.
  function curve(values, lastStep) {
    const known = values.filter((value) => value != null);
    const low = Math.min(...known);
    const high = Math.max(...known);
    const points = values.map((value, number) => value == null ? "" :
      `${(number / (values.length - 1 || 1)) * WIDTH},${HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT}`).join(" ");
    return frame(`The objective over ${lastStep} steps: from ${short(values[0])} to ${short(values.at(-1))}`,
      draw("polyline", { class: "line", points }), text(0, HEIGHT + 13, `${short(values[0])} at first`),
      text(WIDTH, HEIGHT + 13, `${short(values.at(-1))} after ${lastStep} steps`, "end"));
  }

  return { histogram, curve, short };
})();
