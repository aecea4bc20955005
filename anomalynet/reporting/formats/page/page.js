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
