// Sliders over runs that were computed when the site was built: this only looks them up and draws them.
document.addEventListener("DOMContentLoaded", () => {
  const small = innerWidth < 600, W = small ? 360 : 560, H = small ? 260 : 330;
  const SVG = "http://www.w3.org/2000/svg", DASHES = ["", "7 3", "2 3"];
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function make(parent, tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }
  const points = (line, x, y) => line.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
  const scale = (low, high, from, to) => value => from + (to - from) * (value - low) / (high - low || 1);
  const shown = value => typeof value === "number" ? String(+value.toPrecision(3)) : value.replaceAll("_", " ");

  function plane(svg, told, result, upto) {
    const [x0, x1, y0, y1] = told.back.box, x = scale(x0, x1, 5, W - 5), y = scale(y0, y1, H - 5, 5);
    for (const line of told.back.lines) make(svg, "polyline", {class: "level", points: points(line, x, y)});
    const path = result.path.slice(0, upto);
    make(svg, "polyline", {class: "run", points: points(path, x, y)});
    for (const [a, b] of path) make(svg, "circle", {class: "step", cx: x(a).toFixed(1), cy: y(b).toFixed(1), r: 3});
    const [a, b] = result.path[0];
    make(svg, "text", {x: x(a) + 8, y: Math.max(18, y(b) - 8)}, "start");
    return `${result.path.length - 1} steps` + (lost(result.path) ? ", and away" : "");
  }
  const lost = path => { const [a, b] = path[path.length - 1]; return Math.hypot(a, b) > 100; };

  function curves(svg, told, result, upto) {
    const log = result.log, all = told.results.flatMap(one => Object.values(one.curves).flat());
    const fine = all.filter(value => isFinite(value) && (!log || value > 0));
    const from = log ? value => Math.log10(Math.max(value, floor)) : value => value;
    const floor = log ? Math.max(Math.min(...fine), 1e-12) : 0;
    let low = Math.min(...fine.map(from)), high = Math.max(...fine.map(from));
    if (log) high = Math.min(high, low + 16);
    const length = Math.max(...told.results.map(one => Math.max(...Object.values(one.curves).map(c => c.length))));
    const x = scale(0, length - 1, 55, W - 10), y = scale(low, high, H - 30, 12);
    const ticks = log ? [Math.ceil(low), Math.round((low + high) / 2), Math.floor(high)] : [low, (low + high) / 2, high];
    for (const tick of new Set(ticks)) {
      make(svg, "line", {class: "level", x1: 55, x2: W - 10, y1: y(tick), y2: y(tick)});
      make(svg, "text", {x: 50, y: y(tick) + 5, "text-anchor": "end"}, log ? `1e${tick}` : shown(tick));
    }
    make(svg, "text", {x: W - 10, y: H - 8, "text-anchor": "end"}, `${length - 1}`);
    make(svg, "text", {x: 55, y: H - 8}, "0");
    Object.entries(result.curves).forEach(([label, values], number) => {
      const line = values.slice(0, upto).map((value, t) => [t, Math.min(from(value), high)]);
      make(svg, "polyline", {class: `run run-${number}`, "stroke-dasharray": DASHES[number], points: points(line, x, y)});
      make(svg, "line", {class: `run run-${number}`, "stroke-dasharray": DASHES[number],
                         x1: W - 230, x2: W - 195, y1: 22 + 20 * number, y2: 22 + 20 * number});
      make(svg, "text", {x: W - 188, y: 27 + 20 * number}, label);
    });
    const [name, first] = Object.entries(result.curves)[0];
    return `${name}: ${shown(first[first.length - 1])} at the end`;
  }

  function explore(figure) {
    const told = JSON.parse(figure.querySelector("script").textContent), names = Object.keys(told.sliders);
    const title = document.createElement("figcaption"), controls = document.createElement("div");
    const svg = make(figure, "svg", {viewBox: `0 0 ${W} ${H}`, role: "img"}), said = document.createElement("p");
    title.textContent = told.title;
    controls.className = "controls";
    said.setAttribute("aria-live", "polite");
    figure.prepend(title);
    figure.append(controls, said);
    let timer = 0;
    const inputs = names.map(name => {
      const values = told.sliders[name], label = document.createElement("label"), input = document.createElement("input");
      const output = document.createElement("output");
      Object.assign(input, {type: "range", min: 0, max: values.length - 1, step: 1, value: values.length >> 1});
      input.setAttribute("aria-label", name);
      input.addEventListener("input", () => { stop(); draw(Infinity); });
      label.append(`${name.replaceAll("_", " ")} `, output, input);
      controls.append(label);
      return {input, output, values};
    });
    const play = document.createElement("button");
    play.type = "button";
    play.textContent = "step by step";
    play.addEventListener("click", () => {
      stop();
      if (still.matches) return draw(Infinity);
      let upto = 1;
      timer = setInterval(() => draw(++upto) || stop(), 90);
    });
    controls.append(play);

    function stop() { clearInterval(timer); }
    function draw(upto) {
      let at = 0;
      for (const {input, output, values} of inputs) {
        at = at * values.length + Number(input.value);
        output.textContent = shown(values[input.value]);
        input.setAttribute("aria-valuetext", output.textContent);
      }
      const result = told.results[at];
      svg.replaceChildren();
      const words = (result.path ? plane : curves)(svg, told, result, upto);
      said.textContent = words;
      svg.setAttribute("aria-label", `${told.title}: ${words}`);
      return upto < (result.path || Object.values(result.curves)[0]).length;
    }
    draw(Infinity);
  }
  document.querySelectorAll("figure.explore").forEach(explore);
});
