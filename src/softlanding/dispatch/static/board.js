// The board: a ride opens beside the lanes without leaving them; the now-line moves; a ride can be dragged to a vehicle,
// which only chooses it in the form: a person still gives the reason. All of it works by links and forms too.

const main = document.getElementById("main");

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-pickup]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link.dataset.pickup);
});
addEventListener("popstate", () => show(location.href));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && new URL(location.href).searchParams.has("pickup") && !document.querySelector("dialog[open]")) open("");
});

async function open(code, vehicle = "") {
  const address = new URL(location.href);
  address.hash = "";
  code ? address.searchParams.set("pickup", code) : address.searchParams.delete("pickup");
  history.pushState(null, "", address);
  await show(address.href);
  const detail = document.getElementById("detail");
  detail.focus({ preventScroll: true });
  if (matchMedia("(max-width: 899px)").matches && code) detail.scrollIntoView();
  if (vehicle) choose(detail, vehicle);
}

async function show(address) {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["detail", "vehicles"]) document.getElementById(id).replaceWith(document.adoptNode(page.getElementById(id)));
    main.dataset.stream = page.getElementById("main").dataset.stream; // live.js follows the new one.
    ready();
  } catch { location.assign(address); }
}

function choose(detail, vehicle) {
  const option = detail.querySelector(`input[name=vehicle][value="${CSS.escape(vehicle)}"]:not(:disabled)`);
  if (!option) return;
  option.checked = true;
  detail.querySelector("#assign-reason")?.focus();
}

function ready() {
  for (const link of document.querySelectorAll("#queue a[data-pickup], .vehicle > .lane a[data-pickup]")) link.setAttribute("draggable", "true");
  moveNow();
}

document.addEventListener("dragstart", (event) => {
  const link = event.target.closest?.("a[data-pickup]");
  if (link) event.dataTransfer.setData("text/x-pickup", link.dataset.pickup);
});
document.addEventListener("dragover", (event) => {
  if (event.target.closest?.("[data-vehicle]") && event.dataTransfer.types.includes("text/x-pickup")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const vehicle = event.target.closest?.("[data-vehicle]");
  const code = event.dataTransfer.getData("text/x-pickup");
  if (vehicle && code) { event.preventDefault(); open(code, vehicle.dataset.vehicle); }
});

function moveNow() {
  const lanes = document.getElementById("vehicles");
  const from = Date.parse(lanes.dataset.from);
  const at = `${Math.min(100, Math.max(0, (100 * (now() - from)) / (Date.parse(lanes.dataset.to) - from))).toFixed(2)}%`;
  for (const line of lanes.querySelectorAll("[data-now]")) { line.setAttribute("x1", at); line.setAttribute("x2", at); }
}

// On the server's clock, from the time of the first rendering on.
const skew = Date.parse(document.getElementById("age").dataset.at) - Date.now();
const now = () => Date.now() + skew;

document.addEventListener("fragment", ready);
setInterval(moveNow, 20000);
ready();
