"use strict";
(() => {
  const table = document.getElementById("effects");
  if (!table) return;
  const data = JSON.parse(document.getElementById("rows").textContent);
  const PAGE = 200;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const tools = document.getElementById("tools");
  const text = document.getElementById("filter");
  const verdict = document.getElementById("verdict");
  const status = document.getElementById("status");
  const [before, after] = ["before", "after"].map((id) => document.getElementById(id));
  const every = document.getElementById("every");
  const verdicts = data.columns.indexOf("verdict");
  if (verdict) {
    const words = new Set(data.rows.map((cells) => cells[verdicts].split(/\W/)[0]).filter(Boolean));
    verdict.append(...[...words].map((word) => new Option(word)));
  }
  const sorting = { column: -1, up: true };
  let first = 0;
  let all = data.first ? data.first : data.rows;
  let kept = all;

  const number = (cell) => {
    const found = /[-\u2212]?(?:\d[\d,]*\.?\d*|\.\d+|inf)(?:e[-+]?\d+)?/i.exec(cell);
    if (!found) return null;
    const plain = found[0].replace("\u2212", "-").replaceAll(",", "");
    const value = plain.endsWith("inf") ? (plain.startsWith("-") ? -Infinity : Infinity) : Number(plain);
    return cell.trimStart().startsWith("<") ? value * 0.999999 : value;
  };

  const order = (a, b) => {
    const [x, y] = [a[sorting.column], b[sorting.column]];
    if (data.numeric[sorting.column]) {
      const [m, n] = [number(x), number(y)];
      if (m === null || n === null) return (m === null) - (n === null); // empty cells last, either way
      return (m < n ? -1 : m > n ? 1 : 0) * (sorting.up ? 1 : -1);
    }
    return x.localeCompare(y, "en", { numeric: true }) * (sorting.up ? 1 : -1);
  };

  const show = () => {
    const rows = kept.slice(first, first + PAGE).map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((cell, i) => {
        const box = document.createElement(i === 0 ? "th" : "td");
        if (i === 0) box.scope = "row";
        else box.dataset.name = data.columns[i];
        if (data.numeric[i]) box.className = "number";
        if (i === verdicts && cell) {
          const mark = document.createElement("span");
          mark.className = `mark ${cell.split(/\W/)[0]}`;
          mark.textContent = cell;
          box.append(mark);
        } else box.textContent = cell;
        row.append(box);
      });
      return row;
    });
    body.replaceChildren(...rows);
    const last = first + rows.length;
    const shown = kept.length ? `${(first + 1).toLocaleString("en")}\u2013${last.toLocaleString("en")} of ` : "";
    const rest = kept.length < all.length ? ` (${all.length.toLocaleString("en")} without the filter)` : "";
    status.textContent = `Rows ${shown}${kept.length.toLocaleString("en")}${rest}`;
    before.disabled = first === 0;
    after.disabled = last >= kept.length;
    before.hidden = after.hidden = kept.length <= PAGE;
  };

  const select = () => {
    const wanted = text.value.toLowerCase().trim();
    const chosen = verdict ? verdict.value : "";
    kept = all.filter((cells) => {
      if (chosen && cells[verdicts].split(/\W/)[0] !== chosen) return false;
      return !wanted || cells.some((cell) => cell.toLowerCase().includes(wanted));
    });
    if (sorting.column >= 0) kept = [...kept].sort(order);
    first = 0;
    show();
  };

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      sorting.up = sorting.column === i ? !sorting.up : !data.numeric[i]; // numbers: the largest first
      sorting.column = i;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sorting.up ? "ascending" : "descending");
      select();
    });
    head.replaceChildren(button);
  });
  text.addEventListener("input", select);
  if (verdict) verdict.addEventListener("change", select);
  before.addEventListener("click", () => { first = Math.max(0, first - PAGE); show(); });
  after.addEventListener("click", () => { first += PAGE; show(); });
  if (every) {
    every.hidden = false;
    every.addEventListener("click", () => {
      all = data.rows;
      tools.hidden = false;
      every.hidden = true;
      select();
    });
  }
})();
