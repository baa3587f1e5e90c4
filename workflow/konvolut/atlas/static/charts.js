"use strict";
/* Small drawings of the unit panel, as SVG made of elements. */
const Charts = (() => {
  const HEIGHT = 60;

  function draw(tag, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function frame(width, label, ...parts) {
    const box = { class: `chart ${width < 200 ? "narrow" : ""}`, viewBox: `0 -14 ${width} ${HEIGHT + 30}`, role: "img", "aria-label": label };
    return draw("svg", box, ...parts, draw("line", { class: "axis", x1: 0, x2: width, y1: HEIGHT, y2: HEIGHT }));
  }

  const text = (x, y, words, anchor = "start", kind = "") => draw("text", { x, y, "text-anchor": anchor, class: kind }, words);
  const short = (value) => (value == null ? "–" : String(Number(value.toPrecision(3))));

  // The unit's maxima over the photographs, and where the finished picture lies.
  function histogram(counts, [first, last], own, width = 170) {
    const low = Math.min(first, own ?? first);
    const high = Math.max(last, own ?? last);
    const scale = (value) => ((value - low) / (high - low || 1)) * width;
    const most = Math.max(...counts, 1);
    const step = (last - first) / counts.length;
    const bars = counts.map((count, number) => {
      const height = (count / most) * HEIGHT;
      const wide = Math.max(2, scale(low + step) - 0.5);
      return draw("rect", { x: scale(first + number * step), y: HEIGHT - height, width: wide, height });
    });
    const ends = [text(0, HEIGHT + 14, short(low)), text(width, HEIGHT + 14, short(high), "end")];
    const label = `Histogram of the unit's maxima from ${short(first)} to ${short(last)}`;
    if (own == null) return frame(width, label, draw("g", { class: "bars" }, ...bars), ...ends);
    const x = scale(own);
    const mark = draw("line", { class: "own", x1: x, x2: x, y1: 0, y2: HEIGHT });
    const words = text(x, -4, "this picture", x > width / 2 ? "end" : "start", "own-text");
    return frame(width, `${label}; the picture reaches ${short(own)}`, draw("g", { class: "bars" }, ...bars), mark, words, ...ends);
  }

  // The objective from the first step to the last.
  function curve(values, steps, width = 420) {
    const known = values.filter((value) => value != null);
    const low = Math.min(...known);
    const high = Math.max(...known);
    const x = (number) => (number / (values.length - 1 || 1)) * width;
    const y = (value) => HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT;
    const points = values.map((value, number) => (value == null ? "" : `${x(number)},${y(value)}`)).join(" ");
    const [first, last] = [short(values[0]), short(values.at(-1))];
    return frame(width, `The objective rises from ${first} to ${last} in ${steps} steps`, draw("polyline", { class: "line", points }),
      text(0, HEIGHT + 14, `${first} at first`), text(width, HEIGHT + 14, `${last} after ${steps} steps`, "end"));
  }

  return { histogram, curve, short };
})();
