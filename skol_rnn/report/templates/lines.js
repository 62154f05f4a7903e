"use strict";
(() => {
  const LISTED = 300; // least certain lines of a document
  const bar = document.querySelector(".filters"), documents = [...document.querySelectorAll(".lines")];
  if (!bar || !documents.length) return;
  const add = (parent, tag, text = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  const names = new Map([...document.querySelectorAll(".legend li")].map(
    item => [item.firstChild.textContent, item.lastChild.textContent]));
  // The kind of a line: its error, or its predicted label where no gold label is known.
  const rowsOf = lines => [...lines.querySelectorAll("p[data-n]")];
  const kindOf = row => row.dataset.k || (row.closest(".alone") ? names.get(row.firstChild.firstChild.textContent) : "");
  const counts = new Map();
  let errors = 0;
  for (const lines of documents) {
    for (const row of rowsOf(lines)) {
      const kind = kindOf(row);
      if (!kind) continue;
      counts.set(kind, (counts.get(kind) || 0) + 1);
      errors += row.className === "e";
    }
  }
  let chosen = { value: "" }, sorted = { checked: false };
  const option = (value, text) => { add(chosen, "option", text).value = value; };
  if (counts.size) {
    chosen = add(add(bar, "label", "Show "), "select");
    option("", "all lines");
    if (errors) option("e", `all ${errors.toLocaleString("en")} errors`);
    for (const [kind, count] of [...counts].sort((a, b) => b[1] - a[1])) {
      option("=" + kind, `${kind} (${count.toLocaleString("en")})`);
    }
  }
  if (document.querySelector(".lines [data-m]")) {
    const label = add(bar, "label");
    sorted = add(label, "input");
    sorted.type = "checkbox";
    label.append(" least certain first");
  }
  const wanted = row => chosen.value === "e" ? row.className.startsWith("e") : "=" + kindOf(row) === chosen.value;
  const update = () => {
    for (const lines of documents) {
      lines.querySelector(":scope > .found")?.remove();
      lines.classList.toggle("only", chosen.value !== "");
      lines.classList.toggle("sorted", sorted.checked);
      let rows = rowsOf(lines);
      if (chosen.value) {
        for (const row of rows) row.classList.toggle("on", wanted(row));
        rows = rows.filter(row => row.classList.contains("on"));
      }
      lines.closest("details.document")?.toggleAttribute("hidden", !rows.length);
      if (!sorted.checked) continue;
      const found = add(lines, "section");
      found.className = "found";
      const first = rows.filter(row => row.dataset.m).sort((a, b) => a.dataset.m - b.dataset.m);
      for (const row of first.slice(0, LISTED)) found.append(row.cloneNode(true));
      if (first.length > LISTED) add(found, "small", `The ${LISTED} least certain of ${first.length} lines.`);
      if (!first.length) add(found, "small", "No such line.");
    }
  };
  bar.addEventListener("change", update);
})();
