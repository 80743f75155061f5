// The keyboard: `?` help, `/` search, `j` `k` walk through rows, Enter opens. Off while typing, and by a switch in the help.

const help = document.getElementById("help");
const button = document.querySelector("[data-help]");
const choice = help?.querySelector("[data-keys-switch]");
const stored = (() => { try { return localStorage.getItem("keys"); } catch { return null; } })();

if (button && help) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
}
if (choice) {
  choice.checked = stored !== "off";
  choice.addEventListener("change", () => { try { localStorage.setItem("keys", choice.checked ? "on" : "off"); } catch { /* Private window: for this page only. */ } });
}

document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), select, textarea, dialog[open], [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target) || choice?.checked === false) return;
  const act = { "?": () => help?.showModal(), "/": search, j: () => walk(1), k: () => walk(-1) }[event.key];
  if (act) { event.preventDefault(); act(); }
});

function search() {
  const field = [...document.querySelectorAll("[data-search]")].find((element) => element.offsetParent);
  field?.focus();
  field?.select?.();
}

function walk(step) {
  const rows = [...document.querySelectorAll("[data-row], .talk:not([hidden])")].filter((row) => row.offsetParent !== null);
  if (!rows.length) return;
  const here = rows.findIndex((row) => row.contains(document.activeElement) || row.classList.contains("is-chosen"));
  const row = rows[Math.min(rows.length - 1, Math.max(0, here + step))];
  for (const other of document.querySelectorAll(".is-chosen")) other.classList.remove("is-chosen");
  row.classList.add("is-chosen");
  const first = row.querySelector("a[href], button, summary");
  first?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}
