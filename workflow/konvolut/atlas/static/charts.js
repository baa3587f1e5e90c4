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

  // A letter stands for 0 to 63, a blank for what is not known; packed.py has the same.
  const levels = (text) => [...text].map((letter) => letter.charCodeAt() - 63);

  // The unit's maxima over the photographs, and where the finished picture lies.
  function histogram(letters, [first, last], own, width = 170) {
    const low = Math.min(first, own ?? first);
    const high = Math.max(last, own ?? last);
    const scale = (value) => ((value - low) / (high - low || 1)) * width;
    const counts = levels(letters);
    const step = (last - first) / counts.length;
    const bars = counts.map((count, number) => {
      const height = (count / 63) * HEIGHT;
      const wide = Math.max(2, scale(low + step) - 0.5);
      return draw("rect", { x: scale(first + number * step), y: HEIGHT - height, width: wide, height });
    });
    const parts = [draw("g", { class: "bars" }, ...bars), text(0, HEIGHT + 14, short(low)), text(width, HEIGHT + 14, short(high), "end")];
    const label = `Histogram of the unit's maxima from ${short(first)} to ${short(last)}`;
    if (own == null) return frame(width, label, ...parts);
    const x = scale(own);
    const mark = draw("line", { class: "own", x1: x, x2: x, y1: 0, y2: HEIGHT });
    const words = text(x, -4, "this picture", x > width / 2 ? "end" : "start", "own-text");
    return frame(width, `${label}; the picture reaches ${short(own)}`, ...parts, mark, words);
  }

  // The objective from the first step to the last.
  function curve([from, to, letters], steps, width = 420) {
    const x = (number) => (number / (letters.length - 1 || 1)) * width;
    const points = levels(letters).map((level, number) => (level < 0 ? "" : `${x(number)},${HEIGHT - (level / 63) * HEIGHT}`)).join(" ");
    const [first, last] = [short(from), short(to)];
    return frame(width, `The objective rises from ${first} to ${last} in ${steps} steps`, draw("polyline", { class: "line", points }),
      text(0, HEIGHT + 14, `objective ${first} at first`), text(width, HEIGHT + 14, `${last} after ${steps} steps`, "end"));
  }

  return { histogram, curve, levels, short };
})();
