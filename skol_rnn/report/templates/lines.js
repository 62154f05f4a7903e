"use strict";
(() => {
  const LISTED = 300; // least certain lines of a document
  const bar = document.querySelector(".filters"), all = [...document.querySelectorAll(".lines")];
  if (!bar || !all.length) return;
  const counts = new Map();
  for (const row of document.querySelectorAll(".lines .e")) counts.set(row.dataset.k, (counts.get(row.dataset.k) || 0) + 1);
  const add = (parent, tag, text) => { const made = document.createElement(tag); made.textContent = text || ""; parent.append(made); return made; };
  let kind = { value: "" }, sorted = { checked: false };
  const option = (value, text) => { add(kind, "option", text).value = value; };
  if (counts.size) {
    const label = add(bar, "label", "Show ");
    kind = add(label, "select");
    const total = [...counts.values()].reduce((a, b) => a + b);
    option("", "all lines");
    option("*", `all ${total.toLocaleString("en")} errors`);
    for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1])) option("=" + name, `${name} (${count.toLocaleString("en")})`);
  }
  if (document.querySelector(".lines [data-m]")) {
    const label = add(bar, "label");
    sorted = add(label, "input");
    sorted.type = "checkbox";
    label.append(" least certain first");
  }
  const wanted = row => !kind.value || (kind.value === "*" ? row.matches(".e") : "=" + row.dataset.k === kind.value);
  const update = () => {
    for (const lines of all) {
      lines.querySelector(":scope > .found")?.remove();
      const rows = [...lines.querySelectorAll("p[data-n]")], shown = rows.filter(wanted);
      lines.classList.toggle("only", kind.value !== "");
      for (const row of rows) row.classList.remove("on");
      for (const row of shown) row.classList.add("on");
      lines.classList.toggle("sorted", sorted.checked);
      if (!sorted.checked) continue;
      const found = document.createElement("section");
      found.className = "found";
      const first = shown.filter(row => row.dataset.m).sort((a, b) => a.dataset.m - b.dataset.m).slice(0, LISTED);
      for (const row of first) found.append(row.cloneNode(true));
      if (!first.length) add(found, "p", "No line of this kind.").className = "on";
      lines.append(found);
    }
  };
  bar.addEventListener("change", update);
})();
