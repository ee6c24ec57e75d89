"""echo.py CLIENT URL PLAN: every kind of message comes back as it went, on its own and in a row."""

from session import arguments, report, session

kind, url, plan = arguments(3)
client = session(kind, url, plan)

# The client reads a text that is JSON as what it says, so none of these is, numbers excepted.
messages = [
    "hello",
    "",
    b"",
    bytes(range(256)),
    b"\x04",
    b"4text in a binary message",
    "b64?",
    "2probe",
    "\U0001f600",
    "\U0001f600 a\u0301 e\u0323\u0302 \U0001f469\u200d\U0001f467 \u05d0\u05d1 \ufeff \ufffd",
    "\x00 \x01 \t \r\n \u2028",
    'not {"json"} & = % + \\ "quoted"',
]


def same(expected):
    got = client.next(f"the echo of {expected!r}")
    if type(got) is not type(expected) or got != expected:
        raise AssertionError(f"sent {expected!r}, got {got!r}")


for message in messages:
    client.send(message)
    same(message)
client.send_all(messages)
for message in messages:
    same(message)

# Text and binary share one order.
many = [f"binary {i}".encode() if i % 3 == 0 else f"text {i}" for i in range(1000)]
client.send_all(many)
for message in many:
    same(message)

client.expect_nothing_more()
client.expect_open()
transport = client.transport
reason = client.close()
if reason != "client disconnect":
    raise AssertionError(f"reason {reason}")
client.end()
report(messages=client.received, transport=transport, reason=reason)
