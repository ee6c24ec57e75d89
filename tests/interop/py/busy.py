"""busy.py CLIENT URL PLAN: a client that computes for a second and then stands still for another, both
several ping intervals of the server it is run against, while messages go in both directions."""

import ctypes
import time

from session import arguments, report, session

BUSY = 1.0
EACH = 1000

kind, url, plan = arguments(3)
client = session(kind, url, plan)
interval = client.client.ping_interval
if interval * 4 > BUSY:
    raise AssertionError(f"a ping interval of {interval} s is too long for this scenario")

sent = 0


def some():
    global sent
    messages = [f"message {i}" for i in range(sent, sent + EACH)]
    sent += EACH
    return messages


def compute():
    """Keeps the interpreter busy: another thread has it now and then, another task does not."""
    until = time.monotonic() + BUSY
    number = 1
    while time.monotonic() < until:
        number = number * 31 % 1_000_003


def stand_still():
    """Not even another thread runs: a call through PyDLL keeps the interpreter's lock."""
    ctypes.PyDLL(None).usleep(int(BUSY * 1_000_000))


client.send_all(some())
client.run_in_client_thread(compute)
client.send_all(some())
client.run_in_client_thread(stand_still)
client.send_all(some())
for i in range(sent):
    got = client.next(f"echo {i}")
    if got != f"message {i}":
        raise AssertionError(f"message {i} came back as {got!r}")

# And it is still a healthy session: messages go and come for three more intervals.
until = time.monotonic() + 3 * interval
laps = 0
while time.monotonic() < until:
    client.send(f"lap {laps}")
    if client.next() != f"lap {laps}":
        raise AssertionError("out of order after having been busy")
    laps += 1
client.expect_nothing_more()
client.expect_open()
transport = client.transport
reason = client.close()
client.end()
report(echoed=sent + laps, busy=2 * BUSY, transport=transport, reason=reason)
