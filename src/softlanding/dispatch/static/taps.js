// The driver's taps. Each is written to this phone (IndexedDB) with its key and time before anything is sent, and sent until the
// server has taken it. A 4xx is a verdict and is shown; no answer or a 5xx means: again. Nothing is shown as done before the server said so.

const CHAIN = ["accepted", "arrived", "boarded", "delivered"];
const RESEND_MS = 5000;
const WORDS = { accepted: "Taken", arrived: "Arrived", boarded: "Aboard", delivered: "Dropped off", no_show: "No-show", seen: "Seen" };
const list = document.getElementById("outbox");
let sending = false;

const database = new Promise((resolve, reject) => {
  const request = indexedDB.open("softlanding-taps", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("taps", { keyPath: "key" });
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function store(mode, work) {
  const transaction = (await database).transaction("taps", mode);
  const request = work(transaction.objectStore("taps"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

const put = (tap) => store("readwrite", (taps) => taps.put(tap));
const remove = (key) => store("readwrite", (taps) => taps.delete(key));
const mine = async () => (await store("readonly", (taps) => taps.getAll())).filter((tap) => tap.address.startsWith(list.dataset.address)).sort((a, b) => (a.tapped_at < b.tapped_at ? -1 : 1));

// A version 4 UUID by getRandomValues: on plain http there is no randomUUID.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-tap]");
  if (!form) return;
  event.preventDefault();
  const pressed = form.querySelector("button");
  if (pressed.disabled) return;
  pressed.disabled = true;
  const at = new Date().toISOString();
  const taps = form.dataset.pickup.split(" ").map((pickup) => ({ key: newKey(), address: new URL(form.action).pathname, pickup, passenger: passengerOf(form, pickup), tap: form.dataset.tap, tapped_at: at, csrf: form.elements.csrf.value, version: form.elements.version?.value ?? "", state: "saved" }));
  try {
    for (const tap of taps) await put(tap); // One button for several people is one word about each.
  } catch {
    form.elements.key.value = newKey(); // No store on this phone: sent as a plain form, then.
    form.elements.pickup.value = form.dataset.pickup;
    form.elements.tapped_at.value = at;
    form.submit();
    return;
  }
  navigator.vibrate?.(30);
  await show();
  pressed.disabled = false;
  send();
});

const passengerOf = (form, pickup) => form.dataset.passenger || form.closest("[data-stop]").querySelector(`[data-ride="${CSS.escape(pickup)}"]`).dataset.passenger;

// In order: what came first is sent first, and what comes meanwhile goes right after it.
async function send() {
  if (sending) return;
  sending = true;
  try {
    for (;;) {
      const next = (await mine()).find((tap) => tap.state === "saved");
      const answer = next && (await deliver(next));
      if (!answer) return;
      await put({ ...next, ...answer });
      await show();
    }
  } finally { sending = false; }
}

async function deliver(tap) {
  try {
    const { key, pickup, tap: name, tapped_at, csrf, version } = tap;
    const answer = await fetch(tap.address, { method: "POST", body: new URLSearchParams({ key, pickup, tap: name, tapped_at, csrf, ...(version && { version }) }), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10000) });
    if (answer.ok) return { state: "sent", sent_at: new Date().toISOString(), words: (await answer.json()).words };
    if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return null;
    const verdict = await answer.json().catch(() => ({}));
    return { state: "verdict", words: verdict.error ?? `Not accepted (${answer.status}).` };
  } catch { return null; }
}

const zone = document.querySelector("main").dataset.zone;
const clock = (iso) => new Date(iso).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone || undefined });

async function show() {
  const taps = await mine();
  for (const tap of taps) if (tap.state === "sent" && Date.now() - Date.parse(tap.sent_at) > 8000) await remove(tap.key);
  const shown = (await mine());
  list.hidden = !shown.length;
  list.classList.toggle("clear", shown.every((tap) => tap.state === "sent"));
  list.firstElementChild.replaceChildren(...shown.map(line));
  for (const card of document.querySelectorAll("[data-ride]")) showCard(card, taps.filter((tap) => tap.pickup === card.dataset.ride && tap.tap !== "seen" && tap.state !== "verdict"));
  promote();
}

const progress = (tap) => (tap.state === "saved" ? `saved ${clock(tap.tapped_at)}, not sent yet` : `tapped ${clock(tap.tapped_at)}, sent`);

function line(tap) {
  const item = document.createElement("li");
  item.className = tap.state;
  const name = `${WORDS[tap.tap] ?? tap.tap}, ${tap.passenger}`;
  item.append({ saved: `✓ ${name}: ${progress(tap)}`, sent: `✓✓ ${name}: ${progress(tap)}`, verdict: `${name}, ${clock(tap.tapped_at)}: not accepted. ${tap.words}` }[tap.state]);
  if (tap.state === "verdict") {
    const button = document.createElement("button");
    button.className = "button small";
    button.textContent = "Seen";
    button.addEventListener("click", async () => { await remove(tap.key); show(); });
    item.append(" ", button);
  }
  return item;
}

// What the server knows, and after it what is saved here: the next button follows the taps, the state does not.
function showCard(card, taps) {
  const before = { planned: 0, accepted: 1, arrived: 2, boarded: 3, delivered: 4 };
  const known = before[card.dataset.state] ?? 0;
  const tapped = Math.max(0, ...taps.map((tap) => (tap.tap === "no_show" ? 5 : CHAIN.indexOf(tap.tap) + 1)));
  const next = Math.max(known, tapped);
  card.dataset.next = next;
  card.classList.toggle("is-done", next >= (card.dataset.does === "board" ? 3 : 4));
  for (const form of card.querySelectorAll("form[data-tap]")) if (form.dataset.tap !== "no_show") form.hidden = CHAIN.indexOf(form.dataset.tap) !== next;
  for (const step of card.querySelectorAll("[data-step]")) {
    const place = CHAIN.indexOf(step.dataset.step);
    step.className = place < known ? "done" : place < tapped ? "saved" : "todo";
  }
  const said = card.querySelector("[data-said]");
  const last = taps.at(-1);
  if (said && last) said.textContent = `${WORDS[last.tap]}: ${progress(last)}`;
}

// The first stop where something is still to do, by the server or by a saved tap, is the one in hand; its main button is the next word
// of all who can be told of together: out before in.
function promote() {
  let found = false;
  for (const stop of document.querySelectorAll("[data-stop]")) {
    const cards = [...stop.querySelectorAll("[data-ride]")];
    const isNow = !found && cards.some((card) => !card.classList.contains("is-done"));
    found ||= isNow;
    if (isNow !== stop.classList.contains("is-now")) stop.open = isNow;
    stop.classList.toggle("is-now", isNow);
    stop.classList.toggle("is-over", !found);
    stop.querySelector("[data-now]").textContent = isNow ? "Now" : found ? "Then" : "Told";
    showMain(stop, cards);
  }
}

function showMain(stop, cards) {
  let shown = false;
  for (const form of stop.querySelectorAll("form[data-all]")) {
    const step = CHAIN.indexOf(form.dataset.tap);
    const does = form.dataset.tap === "delivered" ? "alight" : "board";
    const codes = cards.filter((card) => card.dataset.does === does && Number(card.dataset.next) === step).map((card) => card.dataset.ride);
    form.hidden = shown || !codes.length;
    shown ||= !form.hidden;
    form.dataset.pickup = form.elements.pickup.value = codes.join(" ");
    const words = form.querySelector("[data-one]");
    words.textContent = codes.length > 1 ? words.dataset.many : words.dataset.one;
  }
}

function waitForNoShow() {
  const skew = Date.parse(document.getElementById("age").dataset.at) - performance.timeOrigin;
  for (const details of document.querySelectorAll("[data-no-show]")) {
    if (Date.now() + skew < Date.parse(details.dataset.from)) continue;
    details.querySelector("[data-no-show-wait]").hidden = true;
    details.querySelector("button").disabled = false;
  }
}

document.addEventListener("fragment", show);
addEventListener("online", send);
document.addEventListener("visibilitychange", () => document.hidden || send());
setInterval(() => { send(); show(); waitForNoShow(); }, RESEND_MS);
show();
send();
