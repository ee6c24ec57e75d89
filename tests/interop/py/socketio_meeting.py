"""One of several clients of several languages that meet in a room: socketio_meeting.py sync|asyncio URL PLAN NAME COUNT"""

from socketio_session import arguments, expect, session

kind, url, plan, name, count = arguments(5)
count = int(count)
peer = session(kind, url, plan)
peer.connect()
peer.expect("connect")
peer.expect("auth", {})
peer.call("join", "meeting")

present, hellos, byes = set(), {}, {}


def hear():
    _, event, args = peer.next(f"the rest: {present} are here, {hellos} have spoken, {byes} have left")
    if event == "room-msg" and args[0] == "present":
        present.add(args[1])
    elif event == "room-msg":
        expect((args[0], args[2]), ("hello", {"name": args[1], "bytes": args[1].encode()}))
        hellos[args[1]] = hellos.get(args[1], 0) + 1
    else:
        expect(event, "broadcast")
        byes[args[0]] = byes.get(args[0], 0) + 1


# Whoever comes asks the others to show themselves; who is heard by all has joined.
peer.emit("in-room", ("meeting", "present", name))
answered = set()
while len(present) < count:
    hear()
    for other in present - answered - {name}:
        answered.add(other)
        peer.emit("to-room", ("meeting", "present", name))
peer.emit("in-room", ("meeting", "hello", name, {"name": name, "bytes": name.encode()}))
while len(hellos) < count:
    hear()
peer.emit("broadcast", (name, b"\x00\x01"))
while len(byes) < count - 1:
    hear()
assert set(hellos.values()) == {1} and set(byes.values()) == {1} and name not in byes, (hellos, byes)
peer.end()
print("ok")
