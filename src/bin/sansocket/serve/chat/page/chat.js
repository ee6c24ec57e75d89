// The chat: what the server says, and what the visitor does. What the events are stands in chat.rs.

import { io } from "./socketio.js";
import {
  addFile, addNotice, addText, byId, clearLog, scrollToEnd, settle, showConnection, showPeople, showRooms, showTyping,
} from "./view.js";

const query = new URLSearchParams(location.search);
const transports = { polling: ["polling"], websocket: ["websocket"] }[query.get("transport")] ?? ["polling", "websocket"];
/** For how long somebody who has typed is said to be typing, in milliseconds. */
const TYPING = 4_000;

/** Who one is: kept as long as the tab, so that a reload is no reason to say it again. */
const me = {
  name: sessionStorage.getItem("name"),
  room: roomOfAddress() ?? sessionStorage.getItem("room") ?? "lobby",
  // With it the server knows a tab whose connection broke from somebody who only uses its name.
  key: sessionStorage.getItem("key") ?? crypto.getRandomValues(new Uint32Array(4)).join("-"),
};
let people = new Map(), limits = null, you = null;
const typing = new Map();

const options = {
  path: document.body.dataset.endpoint,
  transports,
  auth: (give) => give({ name: me.name, room: me.room, key: me.key }),
};
const socket = query.get("client") ? await npmClient(query.get("client")) : io(options);

/** npm's socket.io-client, which tells of transports in its own way. Which addresses will do is the server's policy. */
async function npmClient(url) {
  const module = await import(url).catch(() => null);
  const client = module?.io ?? globalThis.io;
  if (!client) {
    byId("refusal").textContent = "There is no socket.io-client at the address in `client`.";
    byId("join").querySelector("button").disabled = true;
    throw new Error(`no socket.io-client at ${url}`);
  }
  const socket = client({ ...options, autoConnect: false });
  socket.io.on("open", () => {
    const { engine } = socket.io;
    transportIs(engine.transport.name);
    engine.on("upgrade", (transport) => transportIs(transport.name));
  });
  return socket;
}

// ---- the connection ----

let transport = null;

function transportIs(name) {
  transport = name;
  if (!socket.connected) return;
  showConnection(name);
  // The server knows it already; it looks when something comes.
  socket.emit("upgraded");
}

socket.on("transport", transportIs);
socket.on("disconnect", (reason) => {
  people = new Map();
  typing.clear();
  showTyping([]);
  if (reason === "io server disconnect") return toDoor("You have come in from another window.");
  if (socket.active) showConnection(null, "Reconnecting …");
});
socket.on("connect_error", (error) => {
  if (socket.active) return showConnection(null, "Reconnecting …");
  toDoor(error.message);
});

socket.on("room", (entered) => {
  const isReturn = you !== null && me.room === entered.room && byId("room").textContent === entered.room;
  people = new Map(entered.people.map((person) => [person.id, person]));
  you = entered.you.id;
  limits = entered.limits;
  remember(entered.you.name, entered.room);
  showConnection(transport);
  if (transport !== entered.you.transport) socket.emit("upgraded");
  toRoom();
  // What was said meanwhile is nowhere: so it should be seen that something may be missing.
  if (isReturn) addNotice("You are back. What was said meanwhile is not shown.");
  else {
    clearLog();
    addNotice("You are in ", { name: entered.room }, people.size > 1 ? "." : ". Nobody else is here yet.");
  }
  showWho();
  askForRooms();
});
socket.on("joined", (person) => {
  people.set(person.id, person);
  addNotice({ name: person.name }, " joined");
  showWho();
  askForRooms();
});
socket.on("left", (id, why) => {
  const person = people.get(id);
  if (!person) return;
  people.delete(id);
  isTyping(id, false);
  // Whose tab has a new connection has not gone anywhere.
  if (why !== "came back") addNotice({ name: person.name }, ` ${why}`);
  showWho();
  askForRooms();
});
socket.on("upgraded", (id, name) => {
  if (!people.has(id)) return;
  people.get(id).transport = name;
  showWho(id);
});
socket.on("typing", isTyping);
socket.on("said", (from, text, time) => {
  isTyping(from.id, false);
  addText(from.id, from.name, time, text);
  countUnread();
});
socket.on("file", (from, { name, type, time }, bytes) => {
  addFile(from.id, from.name, time, { name, type, bytes });
  countUnread();
});

function showWho(changed) {
  showPeople([...people.values()], you, changed);
}

function isTyping(id, is) {
  clearTimeout(typing.get(id));
  typing.delete(id);
  if (is && people.has(id)) typing.set(id, setTimeout(isTyping, TYPING, id, false));
  showTyping([...typing.keys()].map((id) => people.get(id)?.name ?? ""));
}

async function askForRooms() {
  if (!socket.connected || document.hidden) return;
  const rooms = await socket.emitWithAck("rooms").catch(() => null);
  if (rooms?.length) showRooms(rooms, me.room, enter);
}

setInterval(askForRooms, 10_000);

// ---- from the door to a room, and from room to room ----

function remember(name, room) {
  Object.assign(me, { name, room });
  for (const key of ["name", "room", "key"]) sessionStorage.setItem(key, me[key]);
  history.replaceState(null, "", `#${encodeURIComponent(room)}`);
  byId("room").textContent = room;
  countUnread(0);
}

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function toRoom() {
  if (document.body.dataset.at === "chat") return;
  show("chat");
  byId("text").focus();
}

function toDoor(why) {
  you = null;
  clearLog();
  byId("name").value = me.name ?? "";
  byId("first-room").value = me.room;
  byId("refusal").textContent = why;
  show("door");
  byId("name").focus();
}

function show(at) {
  document.body.dataset.at = at;
  byId("door").hidden = at !== "door";
  byId("chat").hidden = at !== "chat";
}

byId("join").addEventListener("submit", (event) => {
  event.preventDefault();
  Object.assign(me, { name: byId("name").value, room: byId("first-room").value });
  byId("refusal").textContent = "";
  socket.connect();
});
byId("leave").addEventListener("click", () => {
  socket.disconnect();
  sessionStorage.removeItem("name");
  openSide(false);
  toDoor("");
});

async function enter(room) {
  openSide(false);
  if (!socket.connected || room === me.room) return;
  const answer = await socket.emitWithAck("enter", room).catch(() => null);
  if (answer?.error) addNotice(answer.error);
  byId("text").focus();
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(byId("room-name").value.trim());
  byId("room-name").value = "";
});
addEventListener("hashchange", () => enter(roomOfAddress() ?? me.room));

function openSide(open) {
  document.body.classList.toggle("side-open", open);
  byId("toggle").ariaExpanded = String(open);
}

byId("toggle").addEventListener("click", () => {
  openSide(!document.body.classList.contains("side-open"));
  askForRooms();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !document.body.classList.contains("side-open")) return;
  openSide(false);
  byId("toggle").focus();
});

// ---- what the visitor says ----

const text = byId("text");
let toldTyping = 0;

function tellTyping(is) {
  if (!is && !toldTyping) return;
  if (is && Date.now() - toldTyping < TYPING / 2) return;
  toldTyping = is ? Date.now() : 0;
  socket.emit("typing", is);
}

function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

text.addEventListener("input", () => {
  fitText();
  if (socket.connected) tellTyping(text.value.trim() !== "");
});
text.addEventListener("keydown", (event) => {
  // Enter also ends the choice of a character in Japanese, say.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  if (!socket.connected) return addNotice("Not connected: try again in a moment.");
  settle(addText(null, me.name, Date.now(), said), socket.emitWithAck("say", said));
  text.value = "";
  toldTyping = 0;
  fitText();
  text.focus();
});

async function showFile(file) {
  if (!file) return;
  if (!socket.connected) return addNotice("Not connected: try again in a moment.");
  if (file.size > limits.file) return addNotice({ name: file.name }, ` is too large: ${Math.floor(limits.file / 1000)} kB is the most.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const row = addFile(null, me.name, Date.now(), { name: file.name, type: file.type, bytes });
  settle(row, socket.emitWithAck("file", file.name, bytes));
}

byId("file").addEventListener("change", ({ target }) => {
  showFile(target.files[0]);
  target.value = "";
});
text.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  showFile(event.clipboardData.files[0]);
});
const talk = byId("talk");
talk.addEventListener("dragover", (event) => {
  event.preventDefault();
  talk.classList.add("dropping");
});
talk.addEventListener("dragleave", () => talk.classList.remove("dropping"));
talk.addEventListener("drop", (event) => {
  event.preventDefault();
  talk.classList.remove("dropping");
  showFile(event.dataTransfer.files[0]);
});

// ---- the page around it ----

let unread = 0;

function countUnread(count = document.hidden ? unread + 1 : 0) {
  unread = count;
  document.title = `${unread ? `(${unread}) ` : ""}${me.room} · sansocket`;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  countUnread(0);
  askForRooms();
});
addEventListener("resize", scrollToEnd);
// The others should not wait for a timeout to see that the tab was closed.
addEventListener("pagehide", () => socket.disconnect());
addEventListener("pageshow", (event) => event.persisted && you && socket.connect());

for (const link of document.querySelectorAll("[data-transport]")) {
  if (link.dataset.transport === (query.get("transport") ?? "")) link.ariaCurrent = "true";
}
byId("first-room").value = me.room;
if (me.name) {
  byId("name").value = me.name;
  socket.connect();
} else {
  byId("name").focus();
}
