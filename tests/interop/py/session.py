"""python-engineio's two clients, driven from a plain thread, where every wait has a deadline.

A scenario says which client (`sync` or `asyncio`) and which plan of transports it wants, and is
otherwise the same for both.
"""

import asyncio
import json
import queue
import sys
import threading

import aiohttp
import engineio
import urllib3

PATIENCE = 20.0

PLANS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}


# Both clients lose the close packet of a `disconnect` that comes while their writer is still busy with
# an earlier packet: the writer looks at the state first, and that is no longer `connected`. An echo may
# well be here before the writer has read the answer to its POST, so a session is closed only once its
# writer waits for the next packet.


class WriterQueue(queue.Queue):
    """Knows whether the writer waits for it."""

    def __init__(self):
        super().__init__()
        self.writer_waits = threading.Event()

    def get(self, block=True, timeout=None):
        if not block:
            return super().get(block=False)
        self.writer_waits.set()
        try:
            return super().get(timeout=timeout)
        finally:
            self.writer_waits.clear()


class InOrderClient(engineio.Client):
    """The sync client starts a thread for each message, so that handlers may run in another order
    than messages came. Calling the handler where the message is read shows the order of arrival."""

    def create_queue(self, *args, **kwargs):
        return WriterQueue()

    def _trigger_event(self, event, *args, **kwargs):
        kwargs["run_async"] = False
        return super()._trigger_event(event, *args, **kwargs)


def polls_noted_by_urllib3(poll_waits):
    """A connection class that sets `poll_waits` while a GET is sent and not answered."""

    class Connection(urllib3.connection.HTTPConnection):
        def request(self, method, *args, **kwargs):
            self.is_poll = method == "GET"
            return super().request(method, *args, **kwargs)

        def getresponse(self):
            if not self.is_poll:
                return super().getresponse()
            poll_waits.set()
            try:
                return super().getresponse()
            finally:
                poll_waits.clear()

    return Connection


def polls_noted_by_aiohttp(poll_waits):
    """The same as a listener on aiohttp's requests."""

    async def sent(_session, _context, request):
        if request.method == "GET":
            poll_waits.set()

    async def answered(_session, _context, request):
        if request.method == "GET":
            poll_waits.clear()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    trace.on_request_end.append(answered)
    trace.on_request_exception.append(answered)
    return trace


class Session:
    """What both have in common: what arrived, and how it ended."""

    def __init__(self, client, plan):
        self.client = client
        self.plan = plan
        self.inbox = queue.Queue()
        self.reason = queue.Queue()
        self.received = 0
        client.on("message", self._on_message)
        client.on("disconnect", self.reason.put)

    def _on_message(self, message):
        self.received += 1
        self.inbox.put(message)

    def _check_transport(self):
        last = "polling" if self.plan == "polling" else "websocket"
        if self.transport != last:
            raise AssertionError(f"plan {self.plan} ended on {self.transport}")

    @property
    def transport(self):
        return self.client.transport()

    def send(self, message):
        self.send_all([message])

    def next(self, what="a message"):
        try:
            return self.inbox.get(timeout=PATIENCE)
        except queue.Empty:
            end = "still open" if self.reason.empty() else f"closed: {self.reason.get()}"
            raise AssertionError(f"not within {PATIENCE} s: {what} ({end})") from None

    def wait_for_poll(self):
        """Over polling: until a poll is on its way to the server."""
        if self.plan == "polling" and not self.poll_waits.wait(PATIENCE):
            raise AssertionError(f"no poll was sent within {PATIENCE} s")

    def expect_nothing_more(self):
        if not self.inbox.empty():
            raise AssertionError(f"a message too many: {self.inbox.get()!r}")

    def expect_open(self):
        if not self.reason.empty():
            raise AssertionError(f"closed: {self.reason.get()}")

    def wait_closed(self):
        try:
            return self.reason.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"not closed within {PATIENCE} s") from None


class SyncSession(Session):
    def __init__(self, url, plan, post_before_upgrade=(), queue_before_upgrade=()):
        self.poll_waits = threading.Event()
        urllib3.HTTPConnectionPool.ConnectionCls = polls_noted_by_urllib3(self.poll_waits)
        super().__init__(InOrderClient(handle_sigint=False, request_timeout=PATIENCE), plan)

        def at_connect():
            # The client itself sends nothing before its upgrade is over, so the posts are by hand.
            if post_before_upgrade:
                answer = self.client.http.post(
                    self.client.base_url,
                    data=payload(post_before_upgrade),
                    headers={"Content-Type": "text/plain;charset=UTF-8"},
                    timeout=PATIENCE,
                )
                if (answer.status_code, answer.text) != (200, "ok"):
                    raise AssertionError(f"POST: {answer.status_code} {answer.text}")
            for message in queue_before_upgrade:
                self.client.send(message)

        self.client.on("connect", at_connect)
        self.client.connect(url, transports=PLANS[plan])
        self._check_transport()

    def send_all(self, messages):
        for message in messages:
            self.client.send(message)

    def close(self):
        if not self.client.queue.writer_waits.wait(PATIENCE):
            raise AssertionError(f"the client is still writing after {PATIENCE} s")
        self.client.disconnect()
        return self.wait_closed()

    def run_in_client_thread(self, function):
        function()

    def end(self):
        pass


class AsyncioSession(Session):
    def __init__(self, url, plan, post_before_upgrade=(), queue_before_upgrade=()):
        self.poll_waits = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

        async def connect():
            http = aiohttp.ClientSession(trace_configs=[polls_noted_by_aiohttp(self.poll_waits)])
            client = engineio.AsyncClient(
                handle_sigint=False, request_timeout=PATIENCE, http_session=http
            )
            super(AsyncioSession, self).__init__(client, plan)

            async def at_connect():
                if post_before_upgrade:
                    async with client.http.post(
                        client.base_url,
                        data=payload(post_before_upgrade),
                        headers={"Content-Type": "text/plain;charset=UTF-8"},
                    ) as answer:
                        text = await answer.text()
                        if (answer.status, text) != (200, "ok"):
                            raise AssertionError(f"POST: {answer.status} {text}")
                for message in queue_before_upgrade:
                    await client.send(message)

            client.on("connect", at_connect)
            await client.connect(url, transports=PLANS[plan])
            self._check_transport()

        self._run(connect())

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def send_all(self, messages):
        async def send():
            for message in messages:
                await self.client.send(message)

        self._run(send())

    def close(self):
        async def disconnect():
            await self.client.queue.join()
            await self.client.disconnect()

        self._run(disconnect())
        return self.wait_closed()

    def run_in_client_thread(self, function):
        async def run():
            function()

        self._run(run())

    def end(self):
        """Drops what the client left behind: closed by the server, it empties the queue that its
        writer still waits for, and keeps its HTTP connections."""

        async def finish():
            rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            http = self.client.http
            if http and not http.closed:
                await http.close()

        self._run(finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)


def payload(texts):
    return "\x1e".join("4" + text for text in texts).encode()


def session(kind, url, plan, **what_to_send):
    kinds = {"sync": SyncSession, "asyncio": AsyncioSession}
    return kinds[kind](url, plan, **what_to_send)


def arguments(count):
    """The scenario's arguments: the client, the server's URL, the plan, and perhaps more."""
    given = sys.argv[1:]
    if len(given) != count or given[0] not in ("sync", "asyncio") or given[2] not in PLANS:
        raise SystemExit("usage: SCENARIO.py sync|asyncio URL polling|websocket|upgrade …")
    return given


def report(**what):
    """What a scenario hands to its caller: one JSON object on one line."""
    print(json.dumps(what), flush=True)
