"use strict";
(() => {
  const round = JSON.parse(document.getElementById("round").textContent);
  const { labels, shown, items } = round, KEY = `skol_rnn review ${round.id}`, OPENED = `${KEY} opened`;
  const $ = id => document.getElementById(id);
  const add = (parent, tag, text = "", css = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (css) made.className = css;
    parent.append(made);
    return made;
  };
  const notice = text => { $("notice").textContent = text; $("notice").hidden = false; };
  const UNSAVED = "This browser does not keep your answers: export them before you close the page.";
  // answers: label by position of the line; history: what undo takes back, as [position, label before].
  let state = { reviewer: "", answers: {}, history: [] }, at = 0, exported = true;
  const isItem = i => Number.isInteger(i) && i >= 0 && i < items.length;
  const isAnswer = a => Number.isInteger(a) && a >= 0 && a < labels.length;
  const load = () => {
    let kept = null;
    try { kept = JSON.parse(localStorage.getItem(KEY)); } catch { /* not readable, or not ours */ }
    if (!kept || typeof kept.answers !== "object" || !kept.answers) return;
    const answers = Object.entries(kept.answers).filter(([i, a]) => isItem(+i) && isAnswer(a));
    const history = (Array.isArray(kept.history) ? kept.history : []).filter(step => Array.isArray(step) && isItem(step[0]));
    state = { reviewer: String(kept.reviewer || ""), answers: Object.fromEntries(answers), history };
    if (isItem(kept.at)) return kept.at;
  };
  const save = () => {
    try { localStorage.setItem(KEY, JSON.stringify({ ...state, at })); } catch { notice(UNSAVED); }
  };
  const unread = from => {
    for (let k = 0; k < items.length; k++) if (!((from + k) % items.length in state.answers)) return (from + k) % items.length;
    return -1;
  };
  const show = () => {
    const item = items[at], answer = state.answers[at], done = Object.keys(state.answers).length;
    $("done").max = items.length || 1;
    $("done").value = done;
    $("count").textContent = `${done} of ${items.length} read`;
    $("where").textContent = `${at + 1}. ${item.where}`;
    $("why").textContent = item.why.length ? `Chosen because: ${item.why.join("; ")}.` : "";
    $("context").replaceChildren();
    let before = null;
    for (const [number, text] of item.context) {
      const row = add($("context"), "p", "", number === item.line ? "this" : "");
      if (before !== null && number > before + 1) row.classList.add("gap");
      add(row, "b", number);
      add(row, "span", text);
      before = number;
    }
    [...$("labels").children].forEach((button, i) => {
      button.setAttribute("aria-pressed", String(answer === i));
      button.querySelector("small").textContent = `${Math.round(item.p[i] * 100)} %`;
      button.style.setProperty("--p", `${item.p[i] * 100}%`);
      const facts = [];
      if (i === item.label) facts.push(item.annotated ? "annotated now" : "label now");
      if (i === item.predicted && i !== item.label) facts.push("the model\u2019s label");
      button.querySelector("em").textContent = facts.join(", ");
    });
    $("undo").disabled = !state.history.length;
    $("back").disabled = at === 0;
    $("next").disabled = at === items.length - 1;
    $("open").disabled = unread(0) < 0;
    $("export").disabled = !done;
    if (document.activeElement !== $("reviewer")) $("reviewer").value = state.reviewer;
  };
  // Another tab may have answered meanwhile: each change begins with what is kept.
  const change = step => { load(); step(); save(); show(); };
  const go = to => { if (isItem(to)) change(() => { at = to; }); };
  const give = label => change(() => {
    state.history.push([at, at in state.answers ? state.answers[at] : null]);
    state.answers[at] = label;
    exported = false;
    const next = unread(at);
    if (next >= 0) at = next;
    else notice("All lines are read. Export your answers.");
  });
  const undo = () => change(() => {
    const step = state.history.pop();
    if (!step) return;
    if (isAnswer(step[1])) state.answers[step[0]] = step[1];
    else delete state.answers[step[0]];
    at = step[0];
    exported = false;
  });
  const save_file = () => {
    load();
    const lines = items.flatMap((item, i) => i in state.answers ? [JSON.stringify({
      round: round.id, document: item.document, sha256: item.sha256, line: item.line,
      text: item.context.find(([number]) => number === item.line)[1],
      before: labels[item.label], label: labels[state.answers[i]], reviewer: state.reviewer || null,
    })] : []);
    const link = document.createElement("a");
    const name = [round.name, state.reviewer || "corrections"].join("-").replace(/[^\p{L}\p{N}._-]+/gu, "_");
    link.href = URL.createObjectURL(new Blob([lines.map(line => line + "\n").join("")], { type: "application/jsonl" }));
    link.download = `${name}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    exported = true;
  };
  labels.forEach((_, i) => {
    const button = add($("labels"), "button");
    button.type = "button";
    if (round.colours[i] !== null) button.style.setProperty("--c", `var(--c${round.colours[i]})`);
    add(button, "kbd", i < 9 ? i + 1 : "");
    add(button, "span", shown[i]);
    add(button, "small");
    add(button, "i");
    add(button, "em");
    button.addEventListener("click", () => give(i));
  });
  const on = (id, step) => $(id).addEventListener("click", step);
  on("undo", undo);
  on("export", save_file);
  on("back", () => go(at - 1));
  on("next", () => go(at + 1));
  on("open", () => go(unread(at + 1)));
  on("keep", () => give(items[at].label));
  $("reviewer").addEventListener("input", () => change(() => { state.reviewer = $("reviewer").value; }));
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    const number = "123456789".indexOf(event.key);
    const step = event.key === "j" || event.key === "ArrowDown" || event.key === "ArrowRight" ? () => go(at + 1)
      : event.key === "k" || event.key === "ArrowUp" || event.key === "ArrowLeft" ? () => go(at - 1)
      : event.key === "n" ? () => go(unread(at + 1))
      : event.key === "u" ? undo
      : event.key === "Enter" && !event.target.matches("button, summary") ? () => give(items[at].label)
      : number >= 0 && number < labels.length ? () => give(number) : null;
    if (!step) return;
    event.preventDefault();
    step();
  });
  window.addEventListener("storage", event => {
    if (event.key === KEY) { load(); show(); }
    if (event.key === KEY || event.key === OPENED) notice("This round is open in another tab too: both show the same answers.");
  });
  window.addEventListener("beforeunload", event => {
    let kept = false;
    try { kept = localStorage.getItem(KEY) !== null; } catch { /* nothing is kept */ }
    if (!kept && !exported) event.preventDefault();
  });
  const before = load();
  at = before === undefined ? 0 : before;
  try { localStorage.setItem(OPENED, `${Date.now()} ${Math.random()}`); } catch { notice(UNSAVED); }
  show();
})();
