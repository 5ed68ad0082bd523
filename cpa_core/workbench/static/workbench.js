// Keys for the pages of reviews. Every action is a form of the page, so that it works without this script too.
"use strict";

const review = document.querySelector("[data-review]");
const next = document.querySelector("[data-next]");
const inbox = document.querySelector("[data-inbox]");
let began = Date.now();

function messages() { return [...document.querySelectorAll("[data-message]")]; }
function current() { return document.querySelector("[data-message].current"); }

function focusOn(message) {
  if (!message) return;
  messages().forEach((one) => one.classList.toggle("current", one === message));
  message.focus({ preventScroll: true });
  message.scrollIntoView({ block: "center" });
  began = Date.now();
}

function move(by) {
  const all = messages();
  const at = all.indexOf(current());
  focusOn(all[Math.min(all.length - 1, Math.max(0, at + by))]);
}

function count() {
  const open = messages().filter((one) => one.dataset.answered === "no").length;
  document.getElementById("open").textContent = `${open} messages have no answer yet.`;
  const finish = document.querySelector("form[action$='/finish'] button");
  finish.disabled = open > 0;
  document.querySelector("form[action$='/rest'] button").disabled = open === 0;
  document.querySelector("form[action$='/undo'] button").disabled = false;
  if (!open) finish.focus({ preventScroll: true });
}

async function keep(message) {
  const form = message.querySelector("form");
  form.elements.seconds.value = Math.min(3600, (Date.now() - began) / 1000).toFixed(1);
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "application/json" },
  });
  if (!answer.ok) { form.submit(); return; }
  message.dataset.answered = "yes";
  count();
  const after = messages().slice(messages().indexOf(message) + 1).find((one) => one.dataset.answered === "no");
  focusOn(after || messages().find((one) => one.dataset.answered === "no"));
}

function toggle(message, key) {
  const box = message.querySelector(`input[data-key="${key}"]`);
  if (!box) return false;
  box.checked = !box.checked;
  const words = String(getSelection());
  const words_of = message.querySelector(".words");
  if (box.checked && words && words_of.contains(getSelection().anchorNode)) {
    message.querySelector("form").elements[`quote ${box.value}`].value = words;
  }
  return true;
}

function act(name) { document.querySelector(`form[action$="/${name}"] button`).click(); }

function onReview(event) {
  const message = current();
  const key = event.key;
  if (key === "?") document.getElementById("keys").showModal();
  else if (key === "j" || key === "ArrowDown") move(1);
  else if (key === "k" || key === "ArrowUp") move(-1);
  else if (key === "u") act("undo");
  else if (key === "p") act("defer");
  else if (key === "N") act("rest");
  else if (key === "F") act("finish");
  else if (!message) return;
  else if (key === "Enter") keep(message);
  else if (key === "o") message.querySelector("input[name=note]").focus();
  else if (key === "n") {
    message.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = false; });
    keep(message);
  } else if (!/^[1-9a-z]$/.test(key) || !toggle(message, key)) return;
  event.preventDefault();
}

function onInbox(event) {
  const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const links = [...inbox.querySelectorAll("a[data-issue]")];
  if (!by || !links.length) return;
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + by))].focus();
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
  if (review) onReview(event);
  else if (inbox) onInbox(event);
  else if (next && event.key === "Enter") { event.preventDefault(); next.click(); }
});

if (review) {
  const named = location.hash ? document.querySelector(location.hash.replace(/[^#\w-]/g, "")) : null;
  const open = messages().find((one) => one.dataset.answered === "no");
  focusOn(open || (named && named.matches("[data-message]") ? named : null));
}

// The schema: problems by line and changes in words, half a second after the last key.
const yaml = document.querySelector("[data-schema] #yaml");
let typed = 0;

function made(name, text) { const node = document.createElement(name); node.textContent = text; return node; }

function problemItem(one) {
  const item = document.createElement("li");
  const line = made("button", `line ${one.line}`);
  Object.assign(line, { type: "button", className: "line" });
  line.dataset.line = one.line;
  item.append(line, ` ${one.level}: ${one.reason}`);
  return item;
}

function listed(title, items) {
  const list = document.createElement("ul");
  list.append(...items);
  return items.length ? [made("h3", title), list] : [];
}

async function checkTyped() {
  const mine = typed;
  const answer = await fetch("/schema/problems", { method: "POST", body: new URLSearchParams({ yaml: yaml.value }) });
  if (!answer.ok || mine !== typed) return;
  const found = await answer.json();
  const changes = found.changes.map((one) => made("li", `${one.place}: ${one.said}. ${one.means}`));
  const broken = found.broken ? [made("p", found.broken)] : [];
  const nothing = found.broken || found.problems.length ? [] : [made("p", "No problem found.")];
  document.getElementById("found").replaceChildren(
    ...broken, ...listed("Problems", found.problems.map(problemItem)), ...nothing,
    ...listed("What this changes, in words; Check prices it", changes),
  );
  const save = document.querySelector("[data-schema] button[value=save]");
  if (save) save.disabled = true; // what is saved was checked as it stands
}

function goToLine(number) {
  const before = yaml.value.split("\n").slice(0, Math.max(0, number - 1)).join("\n").length + (number > 1 ? 1 : 0);
  const end = yaml.value.indexOf("\n", before);
  yaml.focus();
  yaml.setSelectionRange(before, end < 0 ? yaml.value.length : end);
  yaml.scrollTop = (yaml.scrollHeight / yaml.value.split("\n").length) * Math.max(0, number - 6);
}

if (yaml) {
  let waiting;
  yaml.addEventListener("input", () => { typed += 1; clearTimeout(waiting); waiting = setTimeout(checkTyped, 500); });
  document.addEventListener("click", (event) => {
    const line = event.target.closest("[data-line]");
    if (line) goToLine(Number(line.dataset.line));
  });
}
