// A live page: <main data-stream="…"> follows its service's stream and replaces the fragments it sends.
// The stream is read with fetch, not EventSource, so that its beats (comments) count as signs of life too.
// A page that hears nothing for 25 s says so, and asks by itself; a hidden page closes its stream.
// Too many streams (429): the page goes on by asking. Not for this visitor any more: it is opened anew, and says so.

const STALE_S = 25; // Two beats of 10 s and some air.
const SILENT_S = 60;
const POLL_S = 10;
const main = document.querySelector("main[data-stream]");
const title = document.title;
let heardAt = Date.now();
let reading = null;
let pause = 500;
let timer = 0;
let polledAt = 0;
let polling = false;
const REFUSED = [401, 403, 404];

const heard = () => { heardAt = Date.now(); };

async function follow() {
  clearTimeout(timer);
  reading?.abort();
  if (document.hidden) return;
  const mine = (reading = new AbortController());
  try {
    const answer = await fetch(main.dataset.stream, { headers: { Accept: "text/event-stream" }, signal: mine.signal, cache: "no-store" });
    if (REFUSED.includes(answer.status)) reopenIfRefused();
    if (answer.status === 429) pause = 1000 * (Number(answer.headers.get("Retry-After")) || 30);
    if (!answer.ok || !answer.body) throw new Error(String(answer.status));
    pause = 500;
    await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch { /* Lost or refused: tried again below, and the page's age tells. */ }
  if (mine.signal.aborted) return;
  timer = setTimeout(follow, pause * (0.5 + Math.random()));
  pause = Math.min(pause * 2, 8000);
}

// The stream is refused: if the page itself is, too, its visitor is told why.
async function reopenIfRefused() {
  const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(8000) }).catch(() => null);
  if (answer && REFUSED.includes(answer.status) && !(await answer.text()).includes("data-stream")) location.reload();
}

async function read(reader) {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    text = (text + value).replaceAll("\r\n", "\n");
    const messages = text.split("\n\n");
    text = messages.pop();
    for (const message of messages) take(message);
  }
}

function take(message) {
  let name = "message";
  const data = [];
  for (const line of message.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (name !== "fragment" || !data.length) return;
  const { id, html } = JSON.parse(data.join("\n"));
  const holder = document.createElement("template");
  holder.innerHTML = html;
  replace(id, holder.content.getElementById(id) ?? holder.content.firstElementChild);
}

// Put `fresh` in the place of the element `id`. What a person is doing there stays: focus, open details, typed fields.
function replace(id, fresh) {
  const old = document.getElementById(id);
  if (!old || !fresh || old.outerHTML === fresh.outerHTML) return;
  if (old.querySelector("[aria-busy=true]")) { setTimeout(() => replace(id, fresh), 300); return; }
  const focused = old.contains(document.activeElement) ? pathOf(document.activeElement, old) : null;
  keepDetails(old, fresh);
  keepFields(old, fresh);
  const known = new Set([...old.querySelectorAll("[data-alarm]")].map((alarm) => alarm.dataset.alarm));
  const scrolled = old.scrollTop;
  old.replaceWith(fresh);
  fresh.scrollTop = scrolled;
  if (focused) find(focused, fresh)?.focus({ preventScroll: true });
  tellAlarms(fresh, known);
  document.dispatchEvent(new CustomEvent("fragment", { detail: fresh }));
}

const nameOf = (details) => `${details.closest("[id], [data-alarm], [data-ride]")?.id}|${details.closest("[data-alarm]")?.dataset.alarm}|${details.closest("[data-ride]")?.dataset.ride}|${details.querySelector("summary")?.textContent}`;

function keepDetails(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[open]")].map(nameOf));
  for (const details of fresh.querySelectorAll("details")) if (open.has(nameOf(details))) details.open = true;
}

const formName = (form) => `${form.getAttribute("action")}|${form.elements.form?.value}`;

// A form that a person has begun keeps its fields, and its key too: sent again, it is still the same request.
function keepFields(old, fresh) {
  for (const form of old.querySelectorAll("form")) {
    if (!form.dataset.touched) continue;
    const next = [...fresh.querySelectorAll("form")].find((other) => formName(other) === formName(form));
    if (next) { next.replaceChildren(...form.childNodes); next.dataset.touched = "yes"; }
  }
}

function pathOf(element, root) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const steps = [];
  for (let at = element; at !== root; at = at.parentElement) {
    if (at.dataset.alarm) { steps.unshift(`[data-alarm="${CSS.escape(at.dataset.alarm)}"]`); return steps.join(" > "); }
    if (at.dataset.pickup) { steps.unshift(`[data-pickup="${CSS.escape(at.dataset.pickup)}"]`); return steps.join(" > "); }
    steps.unshift(`${at.localName}:nth-child(${[...at.parentElement.children].indexOf(at) + 1})`);
  }
  return steps.length ? `:scope > ${steps.join(" > ")}` : "";
}

const find = (path, root) => (path ? root.querySelector(path) : root);

function tellAlarms(fresh, known) {
  const alarms = [...fresh.querySelectorAll("[data-alarm]")].filter((alarm) => !known.has(alarm.dataset.alarm));
  if (!("alarms" in fresh.dataset)) return;
  for (const alarm of alarms) alarm.classList.add("fresh");
  if (alarms.length) document.getElementById("announcer").textContent = alarms.map((alarm) => alarm.querySelector("h3")?.textContent.trim()).join(". ");
  showCount();
}

function showCount() {
  const count = [...document.querySelectorAll("[data-alarms]")].reduce((sum, element) => sum + Number(element.dataset.alarms), 0);
  document.title = count ? `(${count}) ${title}` : title;
}

async function poll() {
  polling = true;
  polledAt = Date.now();
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (heardAt >= polledAt) return; // The stream is back, and newer.
    for (const fresh of page.querySelectorAll("[data-live]")) replace(fresh.id, document.adoptNode(fresh));
    heard();
  } catch { /* The age goes on growing. */ } finally { polling = false; }
}

const words = (seconds) => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;

function tick() {
  if (document.hidden) return;
  const seconds = (Date.now() - heardAt) / 1000;
  const age = ageElement();
  if (age) {
    age.dataset.age = seconds < STALE_S ? "live" : seconds < SILENT_S ? "late" : "silent";
    age.lastElementChild.textContent = seconds < STALE_S ? `live · heard ${words(seconds)} ago` : seconds < SILENT_S ? `no news for ${words(seconds)}, asking again` : `not live: as of ${words(seconds)} ago`;
  }
  for (const element of document.querySelectorAll("[data-ages]")) element.textContent = words(Math.max(0, (Date.now() + skew - Date.parse(element.dateTime)) / 1000));
  if (seconds >= STALE_S && !polling && Date.now() - polledAt > POLL_S * 1000) poll();
}

const ageElement = () => document.getElementById("age"); // Looked up each time: forms.js replaces the page's inside.

// Ages count on the server's clock: the phone's may be wrong.
const skew = ageElement() ? Date.parse(ageElement().dataset.at) - (performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0)) : 0;

document.addEventListener("input", (event) => { const form = event.target.form; if (form) form.dataset.touched = "yes"; });
document.addEventListener("visibilitychange", () => (document.hidden ? reading?.abort() : follow()));
if (main) {
  new MutationObserver(follow).observe(main, { attributes: true, attributeFilter: ["data-stream"] });
  showCount();
  tick();
  setInterval(tick, 1000);
  follow();
}
