// Forms: sent once however often they are pressed, and answered in place. Without this script they work as forms do.
// A form with data-form is sent by fetch; its answer is a page, whose message and live fragments are taken over.

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || form.dataset.tap || event.defaultPrevented) return;
  if (form.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
  form.setAttribute("aria-busy", "true");
  if (!("form" in form.dataset)) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const spinner = setTimeout(() => say(form, "note", "Sending …"), 400);
  try {
    const encoded = form.enctype === "multipart/form-data" ? body : new URLSearchParams(body);
    const answer = await fetch(form.action, { method: "POST", body: encoded, signal: AbortSignal.timeout(20000), headers: { Accept: "text/html" } });
    clearTimeout(spinner);
    show(form, answer, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    clearTimeout(spinner);
    say(form, "refused", "No answer came. What you typed is kept here; press again: it is never done twice.");
  }
  form.removeAttribute("aria-busy");
});

// A press upon the press that sent a form, where the finger still is, is none: the page may have changed beneath it, and what has
// come there is another button, of the next row or the next step. Presses by the keyboard (detail 0) are not held back.
const ONE_PRESS_MS = 500;
const ONE_PRESS_PX = 40;
let press = null;
let sentBy = null;
document.addEventListener("click", (event) => {
  press = event.detail ? { at: event.timeStamp, x: event.clientX, y: event.clientY } : null;
  if (!press || !sentBy || press.at - sentBy.at > ONE_PRESS_MS || Math.hypot(press.x - sentBy.x, press.y - sentBy.y) > ONE_PRESS_PX) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  sentBy = press;
}, true);
document.addEventListener("submit", (event) => { if (event.target.method === "post") sentBy = press; }, true);

// The answer is the page after the form: taken over whole when it is another page, else its main part.
function show(form, answer, page) {
  const main = page.querySelector("main");
  if (!main) { say(form, "refused", `The service answered ${answer.status} without a page. Press again; it is never done twice.`); return; }
  if (answer.status >= 500 || (!answer.ok && !page.querySelector("[data-form]"))) {
    say(form, "refused", [...main.querySelectorAll("h1, dd")].map((part) => part.textContent.trim()).join(" ") || `Answer ${answer.status}`);
    return;
  }
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) { leave(main, answer.url); return; }
  if (answer.redirected) history.replaceState(history.state, "", answer.url);
  const old = document.getElementById("main");
  const top = scrollY;
  old.replaceChildren(...document.adoptNode(main).childNodes);
  if (old.dataset.stream) old.dataset.stream = main.dataset.stream ?? old.dataset.stream; // live.js follows anew: what came after this answer was rendered is sent again.
  document.dispatchEvent(new CustomEvent("fragment", { detail: old }));
  scrollTo(0, top);
  const first = old.querySelector("[aria-invalid=true]") ?? old.querySelector(".message[role=status]");
  if (first) { if (!first.matches("input, select, textarea")) first.tabIndex = -1; first.focus({ preventScroll: false }); }
}

// To another page. What this answer said was said once; the page that comes says it again.
function leave(main, address) {
  const said = main.querySelector(":scope > .message[role=status]");
  try { if (said) sessionStorage.setItem("said", JSON.stringify({ kind: said.className, words: said.textContent.trim() })); } catch { /* Private window: gone without words. */ }
  location.assign(address);
}

try {
  const said = JSON.parse(sessionStorage.getItem("said"));
  sessionStorage.removeItem("said");
  if (said) { const message = document.createElement("p"); message.className = said.kind; message.setAttribute("role", "status"); message.textContent = said.words; document.getElementById("main").prepend(message); }
} catch { /* No storage here. */ }

function say(form, kind, words) {
  form.querySelector(":scope > .message")?.remove();
  const message = document.createElement("p");
  message.className = `message ${kind} wide`;
  message.setAttribute("role", "status");
  message.textContent = words;
  form.append(message);
}

// Small helps that need a script and nothing else.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
  if (event.target.matches("[data-copy]")) { event.target.select(); navigator.clipboard?.writeText(event.target.value); }
});
for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy"); });
