(() => {
  "use strict";
  const root = document.documentElement;
  const key = "anomalynet-theme";

  // Storage is refused to pages opened from a file in some browsers: the choice then lasts as long as the page.
  const recall = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem(key, theme); } catch { /* as above */ } };

  const known = recall();
  if (known === "light" || known === "dark") root.dataset.theme = known;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  const setUpTheme = () => {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      keep(root.dataset.theme);
      show();
    });
    system.addEventListener("change", show);
    show();
  };

  const NUMBER = /^[+\-−]?\d+(\.\d+)?(e[+\-−]?\d+)?(?![\w.])/i;
  const MISSING = new Set(["", "–"]);
  const text = (cell) => cell.textContent.trim();
  const number = (cell) => { const found = text(cell).match(NUMBER); return found ? Number(found[0].replaceAll("−", "-")) : NaN; };

  const compared = (rows, column) => {
    const cells = rows.map((row) => row.cells[column]);
    const numeric = cells.every((cell) => MISSING.has(text(cell)) || !Number.isNaN(number(cell)));
    const words = new Intl.Collator("en", { numeric: true });
    return (a, b) => (numeric ? number(a.cells[column]) - number(b.cells[column]) : words.compare(text(a.cells[column]), text(b.cells[column])));
  };

  // A filter hides the rows whose text, or the columns whose heading, has none of its words, in tables that have them at all.
  const filtered = [];
  const show = (table, rows, words) => {
    if (!words.length) return;
    const has = (line) => words.some((word) => line.toLowerCase().includes(word));
    const hit = rows.map(([, line]) => has(line));
    const columns = [...table.tHead.rows[0].cells].map((head, at) => at > 0 && has(text(head)));
    if (hit.includes(true)) rows.forEach(([row], at) => { row.hidden ||= !hit[at]; });
    else if (columns.includes(true)) for (const row of table.rows) [...row.cells].forEach((cell, at) => { cell.hidden ||= at > 0 && cell.classList.contains("number") && !columns[at]; });
  };
  const setUpFilters = () => {
    const inputs = ["models", "metrics"].map((id) => document.getElementById(id));
    if (inputs.includes(null)) return;
    const first = filtered[0];
    const names = [first ? first.rows.map(([row]) => text(row.cells[0])) : [], first ? [...first.table.tHead.rows[0].cells].slice(1).map(text) : []];
    inputs.forEach((input, at) => {
      for (const name of names[at]) { const option = document.createElement("option"); option.value = name; input.list.append(option); }
      input.addEventListener("input", () => {
        for (const { table, rows } of filtered) {
          for (const cell of table.querySelectorAll("[hidden]")) cell.hidden = false;
          for (const own of inputs) show(table, rows, own.value.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean));
        }
      });
    });
  };

  // Mean ± spread: the interval is shown on hover.
  const SPREAD = /^([\d.]+) ± ([\d.]+)/;
  const setUpSpread = (cell) => {
    const found = text(cell).match(SPREAD);
    if (!found) return;
    const [mean, spread] = found.slice(1).map(Number);
    const digits = (found[1].split(".")[1] ?? "").length;
    cell.title = `${(mean - spread).toFixed(digits)} to ${(mean + spread).toFixed(digits)}: mean ± standard deviation`;
  };

  const setUpTable = (box) => {
    const table = box.querySelector("table");
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const blanks = [];
    if (box.classList.contains("grouped")) {
      let name = "";
      for (const row of original) {
        if (text(row.cells[0])) name = text(row.cells[0]);
        else blanks.push([row.cells[0], name]);
      }
    }
    let group = "";
    filtered.push({ table, rows: original.map((row) => {
      group = text(row.cells[0]) || group;
      const words = [...row.cells].slice(1).filter((cell) => !cell.classList.contains("number")).map(text);
      return [row, [group, ...words].join(" ")];
    }) });
    // Out of their order, rows no longer stand below the name of their group: each then says it itself.
    const nameGroups = (wanted) => {
      for (const [cell, name] of blanks) { cell.textContent = wanted ? name : ""; cell.classList.toggle("repeated", wanted); }
    };
    const sort = (column) => {
      const next = { ascending: "descending", descending: null }[heads[column].getAttribute("aria-sort")];
      const order = next === undefined ? "ascending" : next;
      for (const head of heads) head.removeAttribute("aria-sort");
      nameGroups(order !== null);
      if (order === null) { body.append(...original); return; }
      heads[column].setAttribute("aria-sort", order);
      const compare = compared(original, column);
      const sign = order === "ascending" ? 1 : -1;
      const there = original.filter((row) => !MISSING.has(text(row.cells[column])));
      const absent = original.filter((row) => MISSING.has(text(row.cells[column])));
      body.append(...there.sort((a, b) => sign * compare(a, b)), ...absent);
    };
    heads.forEach((head, column) => {
      if (!text(head)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(column));
    });
  };

  addEventListener("DOMContentLoaded", () => {
    setUpTheme();
    for (const cell of document.querySelectorAll("td")) if (cell.textContent.length > 60) cell.classList.add("wordy");
    document.querySelectorAll(".sortable").forEach(setUpTable);
    document.querySelectorAll("td.number").forEach(setUpSpread);
    setUpFilters();
    const contents = document.querySelector("nav details");
    if (contents) contents.open = matchMedia("(min-width: 72rem)").matches;
    // A box that does not scroll needs no stop of the Tab key.
    const watch = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
        if (scrolls) target.tabIndex = 0; else target.removeAttribute("tabindex");
      }
    });
    document.querySelectorAll(".scroll").forEach((box) => watch.observe(box));
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
})();
