"use strict";
// Draws graphs and tables from the JSON of the page. A fold's elements are created when it is opened.
(() => {
  const { engines } = JSON.parse(document.getElementById("data").textContent);
  const [NAME, KIND, PRECISION, MODULE, OPERATOR, POSITION, INPUTS, OUTPUTS, WEIGHTS, SCALES, KEPT, SECONDS] =
    Array(12).keys();
  const ENTRY = -1, EXIT = -2, PASS = -3;
  const KNOWN = ["float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool", "float8_e4m3fn", "int4"];
  const SVG = "http://www.w3.org/2000/svg";
  const ROWS = 25;

  // An element with a class, text and children. Text of a model only ever becomes text nodes.
  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    for (const child of children) if (child !== null && child !== undefined) made.append(child);
    return made;
  }

  function button(className, onclick, ...children) {
    const made = element("button", className, ...children);
    made.type = "button";
    made.onclick = onclick;
    return made;
  }

  const colour = (type) => "t2t-" + (KNOWN.includes(type) ? type : "other");
  const milliseconds = (s) => (s < 1e-3 ? (s * 1e6).toFixed(1) + " µs" : (s * 1e3).toFixed(2) + " ms");

  // ---- the graph

  class Graph {
    constructor(engine, root) {
      this.engine = engine;
      this.root = root;
      this.opened = new Map();
      this.sums = [0];
      for (const layer of engine.layers) this.sums.push(this.sums[this.sums.length - 1] + (layer[SECONDS] || 0));
      this.total = this.sums[this.sums.length - 1];
      this.draw();
    }

    draw() {
      this.opened.clear();
      this.root.replaceChildren(this.level(this.engine.tree, true));
    }

    // The ranks of a fold, with edges that follow their ends.
    level(node, isRoot) {
      const [, , , parts, rows, edges] = node;
      const lines = document.createElementNS(SVG, "svg");
      const drawn = rows.map((row) => row.map((place) => this.place(place, parts, isRoot)));
      const level = element("div", "level", lines, ...drawn.map((row) => element("div", "row", ...row)));
      const redraw = () => connect(level, lines, drawn, edges);
      new ResizeObserver(redraw).observe(level);
      return level;
    }

    place(place, parts, isRoot) {
      if (place === PASS) return element("i", "pass");
      if (place !== ENTRY && place !== EXIT) return this.node(parts[place]);
      if (!isRoot) return element("i", "dot");
      const names = place === ENTRY ? this.engine.inputs : this.engine.outputs;
      const shown = names.length > 4 ? `${names[0]}, … ${names.length} in all` : names.join(", ");
      return element("div", "node end", element("b", "", shown), element("small", "", place === ENTRY ? "inputs" : "outputs"));
    }

    node(node) {
      return node.length === 2 ? this.layer(node) : this.folded(node);
    }

    heat(from, to) {
      const share = this.total > 0 ? (this.sums[to] - this.sums[from]) / this.total : 0;
      if (share < 0.002) return null;
      const bar = element("i", "heat");
      bar.style.width = Math.max(2, share * 100) + "%";
      return bar;
    }

    time(from, to) {
      const seconds = this.sums[to] - this.sums[from];
      return seconds > 0 ? " · " + milliseconds(seconds) : "";
    }

    layer([label, index]) {
      const layer = this.engine.layers[index];
      const text = element("small", "", (layer[OUTPUTS][0] || "") + this.time(index, index + 1));
      const name = element("b", "", label ? label + " " : "", layer[KIND]);
      const made = button("node " + colour(layer[PRECISION]), () => details(this.engine, index), name, text);
      const heat = this.heat(index, index + 1);
      if (heat) made.append(heat);
      made.dataset.layer = index;
      return made;
    }

    folded(node) {
      const [label, from, to] = node;
      const text = element("small", "", `${to - from} layers` + this.time(from, to));
      const open = () => this.centre(this.open(node));
      const made = button("node fold", open, element("b", "", "▸ " + label), text, this.heat(from, to));
      made.setAttribute("aria-expanded", "false");
      this.opened.set(node, { closed: made, isOpen: false });
      return made;
    }

    open(node) {
      const state = this.opened.get(node);
      if (!state || state.isOpen) return null;
      const head = button("head", () => this.close(node), "▾ " + node[0]);
      head.setAttribute("aria-expanded", "true");
      state.box = state.box || element("div", "open", head, this.level(node, false));
      state.closed.replaceWith(state.box);
      state.isOpen = true;
      return head;
    }

    // A fold is often wider than what is visible.
    centre(head) {
      if (head) head.scrollIntoView({ block: "nearest", inline: "center" });
    }

    close(node) {
      const state = this.opened.get(node);
      state.box.replaceWith(state.closed);
      state.isOpen = false;
    }

    openOneLevel() {
      const closed = [...this.opened].filter(([, state]) => !state.isOpen && state.closed.isConnected);
      closed.slice(0, 60).forEach(([node]) => this.open(node));
      this.root.scrollLeft = (this.root.scrollWidth - this.root.clientWidth) / 2;
    }

    // Opens the folds around a layer and brings it into view.
    reveal(index) {
      let node = this.engine.tree;
      while (node.length > 2) {
        node = node[3].find((part) => (part.length === 2 ? part[1] === index : part[1] <= index && index < part[2]));
        if (!node) return;
        if (node.length > 2) this.open(node);
      }
      const found = this.root.querySelector(`[data-layer="${index}"]`);
      if (!found) return;
      this.root.querySelectorAll(".is-selected").forEach((other) => other.classList.remove("is-selected"));
      found.classList.add("is-selected");
      found.scrollIntoView({ block: "center", inline: "center" });
    }
  }

  // Draws the edges of a fold between what is now in its ranks.
  function connect(level, lines, drawn, edges) {
    const frame = level.getBoundingClientRect();
    const ends = drawn.map((row, rank) =>
      row.map((_, place) => {
        const box = level.children[rank + 1].children[place].getBoundingClientRect();
        return [box.left + box.width / 2 - frame.left, box.top - frame.top, box.bottom - frame.top];
      }),
    );
    let path = "";
    for (const [rank, from, to] of edges) {
      const [x0, , y0] = ends[rank][from], [x1, y1] = ends[rank + 1][to], middle = (y0 + y1) / 2;
      path += `M${x0} ${y0}C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}`;
    }
    drawn.forEach((row, rank) =>
      row.forEach((made, place) => {
        if (made.className === "pass") path += `M${ends[rank][place][0]} ${ends[rank][place][1]}V${ends[rank][place][2]}`;
      }),
    );
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path);
    lines.replaceChildren(line);
  }

  // ---- details of a layer

  function details(engine, index) {
    const layer = engine.layers[index], panel = document.getElementById("details");
    const scales = layer[SCALES];
    const rows = [
      ["kind", layer[KIND]],
      ["computes in", layer[PRECISION]],
      ["module", layer[MODULE]],
      ["operator", layer[OPERATOR]],
      ["source", layer[POSITION]],
      ["reads", layer[INPUTS].join("\n")],
      ["computes", layer[OUTPUTS].join("\n")],
      ["weights", layer[WEIGHTS].join("\n")],
      ["range", scales ? range(scales) : ""],
      ["float32", layer[KEPT] || ""],
      ["time", layer[SECONDS] ? milliseconds(layer[SECONDS]) : ""],
    ];
    const list = element("dl", "");
    for (const [name, value] of rows) if (value) list.append(element("dt", "", name), element("dd", "", value));
    const hide = () => { panel.hidden = true; };
    const show = button("", () => { select(engine); shown.reveal(index); }, "Show in the graph");
    panel.replaceChildren(button("close", hide, "×"), element("h3", "", layer[NAME]), list, show);
    panel.hidden = false;
  }

  function range({ count, least, most }) {
    const text = (value) => Number(value.toPrecision(4)).toString();
    return count === 1 ? `±${text(most)}` : `±${text(least)} to ±${text(most)} (${count} channels)`;
  }

  // ---- tables

  // A table of which a page is drawn at a time. A column: heading, text of a row, value to sort by, how it is drawn.
  function table(place, columns, rows, order, onclick) {
    let sorted = rows, page = 0, by = order, down = true, filter = "";
    const body = element("tbody", ""), state = element("span", "sub"), find = element("input", "");
    find.type = "search";
    find.placeholder = "Filter";
    find.oninput = () => { filter = find.value.toLowerCase(); page = 0; update(); };
    const head = element("tr", "");
    columns.forEach((column, index) => {
      const cell = element("th", "", column.name);
      cell.dataset.sort = index;
      cell.onclick = () => { down = by === index ? !down : column.isNumber; by = index; page = 0; update(); };
      head.append(cell);
    });
    function update() {
      sorted = filter ? rows.filter((row) => columns.some((c) => String(c.text(row)).toLowerCase().includes(filter))) : [...rows];
      if (by !== null) {
        const value = columns[by].value || columns[by].text, sign = down ? -1 : 1;
        sorted.sort((a, b) => { const x = value(a), y = value(b); return x < y ? -sign : x > y ? sign : 0; });
      }
      const last = Math.max(0, Math.ceil(sorted.length / ROWS) - 1);
      page = Math.min(Math.max(page, 0), last);
      body.replaceChildren(...sorted.slice(page * ROWS, (page + 1) * ROWS).map(drawn));
      state.textContent = sorted.length > ROWS ? `${page * ROWS + 1}–${Math.min((page + 1) * ROWS, sorted.length)} of ${sorted.length}` : `${sorted.length} rows`;
      before.disabled = page === 0;
      after.disabled = page === last;
    }
    function drawn(row) {
      const cells = columns.map((column) => element("td", column.isNumber ? "number" : "long", column.draw ? column.draw(row) : column.text(row)));
      const made = element("tr", "", ...cells);
      const index = onclick(row);
      if (index !== null) { made.dataset.layer = index.layer; made.onclick = () => details(index.engine, index.layer); }
      return made;
    }
    const before = button("", () => { page -= 1; update(); }, "‹"), after = button("", () => { page += 1; update(); }, "›");
    const bar = element("div", "pages", find, before, after, state);
    place.replaceChildren(bar, element("div", "scroll", element("table", "", element("thead", "", head), body)));
    update();
  }

  const several = engines.length > 1;
  const all = engines.flatMap((engine) => engine.layers.map((layer, index) => ({ engine, layer, index })));
  const ofLayer = (row) => ({ engine: row.engine, layer: row.index });
  const engineColumn = several ? [{ name: "engine", text: (row) => row.engine.name }] : [];

  function layerTable(place) {
    const timed = engines.flatMap((engine) => (engine.times || []).map((time) => ({ engine, time })));
    if (!timed.length) {
      if (!all.length) return;
      table(place, [
        { name: "#", text: (row) => row.index + 1, isNumber: true },
        ...engineColumn,
        { name: "layer", text: (row) => row.layer[NAME] },
        { name: "type", text: (row) => row.layer[PRECISION] },
        { name: "computes", text: (row) => row.layer[OUTPUTS].join(" ") },
        { name: "source", text: (row) => row.layer[POSITION] },
      ], all, null, ofLayer);
      return;
    }
    const whole = (row) => row.engine.total || 1;
    const most = Math.max(...timed.map((row) => row.time[2] / whole(row)));
    const bar = (row) => {
      const inside = element("i", "");
      inside.style.width = (row.time[2] / whole(row) / most) * 100 + "%";
      return element("span", "cell", inside);
    };
    const first = (row) => (row.time[4].length ? row.engine.layers[row.time[4][0]] : null);
    table(place, [
      { name: "time", text: (row) => row.time[3], value: (row) => row.time[2], isNumber: true },
      { name: "share", text: (row) => ((row.time[2] / whole(row)) * 100).toFixed(1) + " %", value: (row) => row.time[2] / whole(row), isNumber: true },
      { name: "", text: () => "", value: (row) => row.time[2], draw: bar, isNumber: true },
      ...engineColumn,
      { name: "layer of the engine", text: (row) => row.time[0] },
      { name: "operator", text: (row) => row.time[1] },
      { name: "stands for", text: (row) => row.time[4].map((index) => row.engine.layers[index][NAME]).join(", ") },
      { name: "source", text: (row) => (first(row) ? first(row)[POSITION] : "") },
    ], timed, 0, (row) => (row.time[4].length ? { engine: row.engine, layer: row.time[4][0] } : null));
  }

  function keptTable(place) {
    table(place, [
      ...engineColumn,
      { name: "layer", text: (row) => row.layer[NAME] },
      { name: "reason", text: (row) => row.layer[KEPT] },
      { name: "source", text: (row) => row.layer[POSITION] },
    ], all.filter((row) => row.layer[KEPT]), null, ofLayer);
  }

  function rangeTable(place) {
    table(place, [
      ...engineColumn,
      { name: "quantization", text: (row) => row.layer[NAME] },
      { name: "tensor", text: (row) => row.layer[INPUTS][0] || "" },
      { name: "range", text: (row) => range(row.layer[SCALES]), value: (row) => row.layer[SCALES].most, isNumber: true },
      { name: "source", text: (row) => row.layer[POSITION] },
    ], all.filter((row) => row.layer[SCALES]), null, ofLayer);
  }

  const tables = { layers: layerTable, kept: keptTable, ranges: rangeTable };
  document.querySelectorAll("[data-table]").forEach((place) => tables[place.dataset.table](place));

  // ---- which engine is drawn

  let shown = null;
  const root = document.getElementById("graph"), pick = document.getElementById("pick");
  function select(engine) {
    if (!root || (shown && shown.engine === engine)) return;
    if (pick) pick.value = engines.indexOf(engine);
    shown = new Graph(engine, root);
  }
  if (root) {
    if (pick) pick.onchange = () => select(engines[pick.value]);
    document.getElementById("open-all").onclick = () => shown.openOneLevel();
    document.getElementById("close-all").onclick = () => shown.draw();
    select(engines.find((engine) => engine.layers.length) || engines[0]);
  }
})();
