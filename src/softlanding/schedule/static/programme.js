// The programme's comforts on top of plain HTML: filters, now and next, "my time", picks. Nothing leaves the browser.

const slug = location.pathname.split("/")[1];
const filters = document.getElementById("filters");
const talks = [...document.querySelectorAll(".talk[data-code]")];
const icons = document.querySelector("svg.icon use")?.getAttribute("href").split("#")[0];
const keep = { get: (name) => { try { return localStorage.getItem(`${slug}:${name}`); } catch { return null; } }, set: (name, value) => { try { localStorage.setItem(`${slug}:${name}`, value); } catch { /* Private window: kept until it closes. */ } } };
const picks = new Set(JSON.parse(keep.get("picks") ?? "[]"));

const startOf = (talk) => Date.parse(talk.closest(".slot").querySelector("time").dateTime);
const timeOf = (talk) => talk.closest(".slot").querySelector("time").textContent;
const endOf = (talk) => startOf(talk) + Number(talk.dataset.for) * 60000;

function star(code, title, label = "") {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "star";
  button.dataset.star = code;
  button.innerHTML = `<svg class="icon" aria-hidden="true"><use/></svg>`;
  button.append(label);
  button.setAttribute("aria-label", `${label || "Pick"}: ${title}`);
  paint(button);
  return button;
}

function paint(button) {
  const picked = picks.has(button.dataset.star);
  button.setAttribute("aria-pressed", picked);
  button.querySelector("use").setAttribute("href", `${icons}#${picked ? "star-full" : "star"}`);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-star]");
  if (!button) return;
  const code = button.dataset.star;
  picks.has(code) ? picks.delete(code) : picks.add(code);
  keep.set("picks", JSON.stringify([...picks]));
  paint(button);
  count();
});

function count() {
  const shown = document.querySelector("[data-picks]");
  if (shown) shown.textContent = picks.size ? `(${picks.size})` : "";
}

function filter() {
  const { words, track, room, mine } = Object.fromEntries(new FormData(filters));
  const wanted = (words ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const talk of talks) {
    const fits = (!track || talk.dataset.track === track) && (!room || talk.dataset.room === room) && (!mine || picks.has(talk.dataset.code)) && wanted.every((word) => talk.textContent.toLowerCase().includes(word));
    talk.hidden = !fits;
    found += fits;
  }
  const filtered = wanted.length || track || room || mine;
  for (const slot of document.querySelectorAll(".slot")) slot.hidden = Boolean(filtered) && !slot.querySelector(".talk:not([hidden])");
  for (const pause of document.querySelectorAll(".break")) pause.hidden = Boolean(filtered);
  document.getElementById("found").textContent = filtered ? `${found} of ${talks.length} talks${mine && !picks.size ? ". Pick some with the star beside a title." : ""}` : "";
  for (const table of document.querySelectorAll(".timetable.grid, .timetable.was-grid")) { table.classList.toggle("grid", !filtered); table.classList.toggle("flow", Boolean(filtered)); table.classList.add("was-grid"); }
}

const there = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: document.querySelector("main").dataset.zone || "UTC" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
let mine = false; // Whether times are shown in the reader's own zone.
const dayClock = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

function offset(zone) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", hourCycle: "h23" }).formatToParts(new Date(startOf(talks[0]))).map((part) => [part.type, Number(part.value)]));
  const there = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute);
  const here = new Date(startOf(talks[0]));
  return (Date.UTC(here.getFullYear(), here.getMonth(), here.getDate(), here.getHours(), here.getMinutes()) - there) / 3600000;
}

function myTime(on) {
  mine = on;
  for (const time of document.querySelectorAll("main time[datetime]")) {
    time.dataset.there ??= time.textContent;
    const at = new Date(time.dateTime);
    time.textContent = !on ? time.dataset.there : time.closest(".slot") ? clock.format(at) : dayClock.format(at);
  }
}

function showNow() {
  const now = Date.now();
  const running = talks.filter((talk) => startOf(talk) <= now && now < endOf(talk));
  const later = talks.filter((talk) => startOf(talk) > now);
  const first = later.length ? Math.min(...later.map(startOf)) : 0;
  const next = later.filter((talk) => startOf(talk) === first);
  for (const talk of talks) { talk.classList.toggle("is-now", running.includes(talk)); talk.classList.toggle("is-past", endOf(talk) <= now); }
  const box = document.getElementById("now-next");
  const isOn = running.length || (next.length && talks.some((talk) => startOf(talk) <= now));
  box.hidden = !isOn;
  const many = matchMedia("(max-width: 700px)").matches ? 3 : 8; // The rest stands below, marked.
  box.querySelector("h2").textContent = running.length > many ? `Now and next: ${running.length} talks run` : "Now and next";
  box.querySelector("ul").replaceChildren(...(isOn ? [...running.slice(0, many).map((talk) => line("now", talk)), ...next.slice(0, many).map((talk) => line(next[0].closest(".day") === running[0]?.closest(".day") || first - now < 6 * 3600000 ? timeOf(talk) : `${talk.closest(".day").querySelector("h2").textContent.slice(0, 3)} ${timeOf(talk)}`, talk))] : []));
  markNow(now, isOn);
  const today = later.concat(running).sort((a, b) => startOf(a) - startOf(b))[0]?.closest(".day").id;
  for (const tab of document.querySelectorAll(".bar nav a")) isOn && tab.hash === `#${today}` ? tab.setAttribute("aria-current", "date") : tab.removeAttribute("aria-current");
}

function line(word, talk) {
  const item = document.createElement("li");
  const bold = Object.assign(document.createElement("b"), { textContent: word });
  const right = document.createElement("span");
  right.append(talk.querySelector("a").cloneNode(true), Object.assign(document.createElement("small"), { className: "soft", textContent: ` ${talk.querySelector(".room").textContent.replace(" · ", "")}` }));
  item.append(bold, right);
  return item;
}

function markNow(now, isOn) {
  document.querySelector(".now-line")?.remove();
  const slot = isOn && [...document.querySelectorAll(".slot")].find((each) => Date.parse(each.querySelector("time").dateTime) > now);
  if (!slot) return;
  const mark = Object.assign(document.createElement("li"), { className: "now-line", textContent: `now ${(mine ? clock : there).format(now)}` });
  mark.setAttribute("aria-hidden", "true");
  const row = slot.querySelector("h3").className;
  if (row) mark.classList.add(row);
  slot.before(mark);
}

if (filters) {
  filters.hidden = false;
  document.querySelector(".room-index").hidden = true;
  for (const talk of talks) talk.append(star(talk.dataset.code, talk.querySelector("a").textContent));
  filters.addEventListener("input", filter);
  filters.addEventListener("submit", (event) => event.preventDefault());
  const zone = document.querySelector("main").dataset.zone;
  const hours = zone && talks.length ? offset(zone) : 0;
  if (hours) {
    const choice = document.getElementById("my-time");
    choice.hidden = false;
    choice.querySelector("[data-offset]").textContent = `(${hours > 0 ? "+" : "−"}${Math.abs(hours)} h)`;
    choice.querySelector("input").checked = keep.get("mytime") === "on";
    choice.querySelector("input").addEventListener("change", ({ target }) => { keep.set("mytime", target.checked ? "on" : "off"); myTime(target.checked); showNow(); });
    if (keep.get("mytime") === "on") myTime(true);
  }
  count();
  showNow();
  setInterval(showNow, 30000);
}
const article = document.querySelector(".talk-page");
if (article) article.querySelector(".when").after(star(article.dataset.code, article.querySelector("h1").textContent, "Add to my picks"));
