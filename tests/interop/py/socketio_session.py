"""python-socketio's two clients, driven from a plain thread, where every wait has a deadline."""

import asyncio
import queue
import sys
import threading

import engineio
import socketio
from session import WriterQueue

PATIENCE = 20.0

PLANS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}


class InOrderEngine(engineio.Client):
    """The sync client starts a thread for each message, so that handlers may run in another order
    than messages came. Calling the handler where the message is read shows the order of arrival."""

    def create_queue(self, *args, **kwargs):
        return WriterQueue()

    def _trigger_event(self, event, *args, **kwargs):
        kwargs["run_async"] = False
        return super()._trigger_event(event, *args, **kwargs)


class InOrderClient(socketio.Client):
    def _engineio_client_class(self):
        return InOrderEngine


class Session:
    """What both have in common: what was heard, in one queue, as `(namespace, event, arguments)`."""

    def __init__(self, url, plan, namespaces=("/",), auth=None, **options):
        self.url = url
        self.plan = plan
        self.namespaces = list(namespaces)
        self.inbox = queue.Queue()
        self.client = self._new_client(handle_sigint=False, **{"reconnection": False, **options})
        for namespace in self.namespaces:
            for event in ("connect", "disconnect", "connect_error"):
                self.client.on(event, self._hearing(namespace, event), namespace=namespace)
            self.client.on("*", self._hearing_any(namespace), namespace=namespace)
            self.client.on("question", self._answering(namespace), namespace=namespace)
        self.how = {
            "auth": auth,
            "namespaces": self.namespaces,
            "transports": PLANS[plan],
            "wait_timeout": PATIENCE,
        }

    def next(self, what="something"):
        try:
            return self.inbox.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"not within {PATIENCE} s: {what}") from None

    def expect(self, event, *args, namespace="/"):
        heard = self.next(event)
        if heard != (namespace, event, list(args)):
            raise AssertionError(f"{heard!r} instead of {event} {args!r} in {namespace}")

    def wait_for(self, event, namespace="/"):
        """Passes over what comes before it."""
        while True:
            heard = self.next(event)
            if heard[:2] == (namespace, event):
                return heard[2]

    def expect_nothing(self):
        if not self.inbox.empty():
            raise AssertionError(f"something came: {self.inbox.get()!r}")

    def id(self, namespace="/"):
        return self.client.get_sid(namespace)


class SyncSession(Session):
    def _new_client(self, **options):
        return InOrderClient(request_timeout=PATIENCE, **options)

    def _hearing(self, namespace, event):
        return lambda *args: self.inbox.put((namespace, event, list(args)))

    def _hearing_any(self, namespace):
        return lambda event, *args: self.inbox.put((namespace, event, list(args)))

    def _answering(self, namespace):
        def answer(*args):
            self.inbox.put((namespace, "question", list(args)))
            return ("answered", *args)

        return answer

    def connect(self):
        self.client.connect(self.url, **self.how)

    def emit(self, event, data=None, namespace="/"):
        self.client.emit(event, data, namespace=namespace)

    def emit_each(self, event, values):
        for value in values:
            self.client.emit(event, value)

    def call(self, event, data=None, namespace="/", timeout=PATIENCE):
        return self.client.call(event, data, namespace=namespace, timeout=timeout)

    def disconnect(self):
        # A writer that is busy looks at the state first, and then writes no more.
        if not self.client.eio.queue.writer_waits.wait(PATIENCE):
            raise AssertionError(f"the client is still writing after {PATIENCE} s")
        self.client.disconnect()

    def end(self):
        if self.client.connected:
            self.disconnect()


class AsyncioSession(Session):
    def _new_client(self, **options):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

        async def new():
            return socketio.AsyncClient(request_timeout=PATIENCE, **options)

        return self._run(new())

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def _hearing(self, namespace, event):
        async def hear(*args):
            self.inbox.put((namespace, event, list(args)))

        return hear

    def _hearing_any(self, namespace):
        async def hear(event, *args):
            self.inbox.put((namespace, event, list(args)))

        return hear

    def _answering(self, namespace):
        async def answer(*args):
            self.inbox.put((namespace, "question", list(args)))
            return ("answered", *args)

        return answer

    def connect(self):
        self._run(self.client.connect(self.url, **self.how))

    def emit(self, event, data=None, namespace="/"):
        self._run(self.client.emit(event, data, namespace=namespace))

    def emit_each(self, event, values):
        async def emit():
            for value in values:
                await self.client.emit(event, value)

        self._run(emit())

    def call(self, event, data=None, namespace="/", timeout=PATIENCE):
        return self._run(self.client.call(event, data, namespace=namespace, timeout=timeout))

    def disconnect(self):
        async def disconnect():
            await self.client.eio.queue.join()
            await self.client.disconnect()

        self._run(disconnect())

    def end(self):
        if self.client.connected:
            self.disconnect()

        async def finish():
            rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            http = self.client.eio.http
            if http and not http.closed:
                await http.close()

        self._run(finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)


def session(kind, url, plan, **more):
    return {"sync": SyncSession, "asyncio": AsyncioSession}[kind](url, plan, **more)


def arguments(count):
    """The scenario's arguments: the client, the server's URL, the plan, and perhaps more."""
    given = sys.argv[1:]
    if len(given) != count or given[0] not in ("sync", "asyncio") or given[2] not in PLANS:
        raise SystemExit("usage: SCENARIO.py sync|asyncio URL polling|websocket|upgrade …")
    return given


def expect(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"
