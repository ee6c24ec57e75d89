// What the chat looks like: the log, who is here, the rooms, the state of the connection.
//
// Whatever others have sent becomes text or an attribute of an element that is made here; never markup.

/** How many messages are kept on the page. */
const MOST_ROWS = 400;
const IS_PICTURE = /^image\/(png|jpeg|gif|webp)$/;

export const byId = (id) => document.getElementById(id);

const log = byId("log");

function element(name, properties = {}, ...children) {
  const { data, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Apart from the text around it, whichever way it is written. */
const isolated = (text) => element("bdi", { textContent: text });

// ---- people ----

/** A colour of one's own: the same for everybody, and another one for a name that only looks the same. */
function hue(name) {
  let hash = 0;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x9e3779b1) >>> 0;
  // In steps that can be told apart.
  return String(((hash >>> 12) % 24) * 15);
}

function avatar(name) {
  const words = name.split(" ");
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...word][0] ?? "");
  const made = element("span", { className: "avatar", textContent: letters.join("").toUpperCase(), ariaHidden: "true" });
  made.style.setProperty("--hue", hue(name));
  return made;
}

const TRANSPORTS = { polling: "polling", websocket: "WebSocket" };

const CHANGED = [{ boxShadow: "0 0 0 .375rem currentColor" }, { boxShadow: "0 0 0 .375rem transparent" }];
const mayMove = matchMedia("(prefers-reduced-motion: no-preference)");

/** Everybody in the room; who is `changed` has a new transport. */
export function showPeople(people, you, changed) {
  const rows = people.map(({ id, name, transport }) => {
    const who = element("bdi", {}, name, ...(id === you ? [element("span", { className: "you", textContent: " (you)" })] : []));
    const on = element("span", { className: "transport", textContent: TRANSPORTS[transport] ?? "", data: { on: transport } });
    if (id === changed && mayMove.matches) on.animate(CHANGED, { duration: 1200, easing: "ease-out" });
    return element("li", { data: { id } }, avatar(name), who, on);
  });
  byId("people").replaceChildren(...rows);
  byId("count").textContent = byId("toggle-count").textContent = String(people.length);
}

/** The people who are writing. */
export function showTyping(names) {
  const shown = names.slice(0, 3).map(isolated).flatMap((name, at) => (at ? [", ", name] : [name]));
  const ending = names.length > 3 ? ` and ${names.length - 3} more are typing` : names.length > 1 ? " are typing" : " is typing";
  byId("typing").replaceChildren(...(names.length ? [...shown, ending] : []));
}

export function showRooms(rooms, current, enter) {
  const rows = rooms.map(([name, people]) => {
    const room = element("button", { type: "button", onclick: () => enter(name) }, isolated(name));
    room.append(element("span", { textContent: people, ariaLabel: people === 1 ? "1 person" : `${people} people` }));
    if (name === current) room.ariaCurrent = "true";
    return element("li", {}, room);
  });
  byId("rooms").replaceChildren(...rows);
}

// ---- the connection ----

/** "polling", "websocket", or nothing, and then why. */
export function showConnection(transport, why = "") {
  const status = byId("status");
  const text = TRANSPORTS[transport] ?? why;
  // Said aloud once.
  if (status.textContent !== text) status.textContent = text;
  status.dataset.on = transport ?? "nothing";
}

// ---- the log ----

function add(row) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(row);
  while (log.children.length > MOST_ROWS) forget(log.firstChild);
  if (isAtEnd || row.classList.contains("mine")) scrollToEnd();
  return row;
}

export function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
}

function forget(row) {
  const file = row.querySelector("[href^='blob:']");
  if (file) URL.revokeObjectURL(file.href);
  row.remove();
}

export function clearLog() {
  while (log.firstChild) forget(log.firstChild);
}

/** Something that has happened: texts, and names as `{name}`. */
export function addNotice(...parts) {
  const shown = parts.map((part) => (typeof part === "string" ? part : isolated(part.name)));
  add(element("li", { className: "notice" }, ...shown));
}

/** A message of somebody's; without `from`, of one's own. */
function addMessage(from, name, time, content) {
  const at = new Date(time);
  const shown = element("time", { dateTime: at.toISOString(), textContent: at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }) });
  const who = element("p", { className: "who" }, isolated(name), shown);
  who.style.setProperty("--hue", hue(name));
  const row = element("li", { className: from ? "message" : "message mine", data: { from: from ?? "" } }, who, avatar(name), content);
  // One after the other, the name stands only once.
  const before = log.lastElementChild;
  if (before?.dataset.from === row.dataset.from && at - before.time < 120_000) row.classList.add("same");
  row.time = at;
  return add(row);
}

export function addText(from, name, time, text) {
  return addMessage(from, name, time, element("div", { className: "bubble", dir: "auto", textContent: text }));
}

export function addFile(from, name, time, { name: fileName, type, bytes }) {
  const isPicture = IS_PICTURE.test(type);
  // Nothing that a browser would open: a picture, or bytes to be saved.
  const blob = new Blob([bytes], { type: isPicture ? type : "application/octet-stream" });
  const link = element("a", { href: URL.createObjectURL(blob), download: fileName });
  link.className = isPicture ? "bubble picture" : "bubble file";
  if (isPicture) {
    const picture = element("img", { alt: fileName, title: fileName, src: link.href });
    picture.onload = () => log.scrollHeight - log.scrollTop - log.clientHeight < picture.height + 90 && scrollToEnd();
    link.append(picture);
  } else {
    const about = element("small", { textContent: size(bytes.byteLength) });
    link.append(arrow(), element("span", {}, element("strong", {}, isolated(fileName)), about));
  }
  return addMessage(from, name, time, link);
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Something to be saved. */
function arrow() {
  const make = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const svg = make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  svg.append(make("path", { d: "M12 4v11M7 10.5l5 5 5-5M5 20h14" }));
  return svg;
}

/** Waits for what becomes of a message of one's own. */
export async function settle(row, answer) {
  row.classList.add("pending");
  let problem;
  try {
    problem = (await answer)?.error;
  } catch {
    problem = "Nobody knows whether this arrived.";
  }
  row.classList.remove("pending");
  if (!problem) return;
  row.classList.add("failed");
  row.append(element("p", { className: "problem", textContent: problem }));
}
