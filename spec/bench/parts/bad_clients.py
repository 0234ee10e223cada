"""Clients that no server should suffer from, until SIGTERM: bad_clients.py PORT KIND…

slow      send a byte of a request now and then
endless   send heads and bodies without an end, as fast as they are taken
pipeline  send requests without an end, and read the responses
unread    send requests until no more are taken, and never read

Prints "started" once all are connected, and at the end what was sent and received, as JSON. They use
the processor only while nobody else needs it: elsewhere they would have machines of their own."""
import json
import os
import selectors
import signal
import socket
import sys
import time

PORT, KINDS = int(sys.argv[1]), sys.argv[2:]
LINE = b"POST /webhooks/palenca HTTP/1.1\r\nHost: bench\r\n"
REQUESTS = (LINE + b"Content-Length: 2\r\n\r\n{}") * 500
CONNECTIONS = {"slow": 200, "endless": 32, "pipeline": 32, "unread": 64}
SLOW_INTERVAL = 0.1  # seconds between two bytes of a slow one

selector = selectors.DefaultSelector()
counts = {kind: {"connections": 0, "sent": 0, "received": 0} for kind in KINDS}
ended = False


def endless(number):
    if number % 2 == 0:
        yield LINE + b"X: "
    else:
        yield LINE + b"Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n"
    while True:
        yield b"a" * 65536


def repeated():
    while True:
        yield REQUESTS


class Client:
    def __init__(self, kind, number):
        self.kind, self.number = kind, number
        self.open()

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.setblocking(False)
        self.left = b""
        self.at = 0
        self.source = endless(self.number) if self.kind == "endless" else repeated()
        self.events = {"slow": selectors.EVENT_READ, "unread": selectors.EVENT_WRITE}.get(
            self.kind, selectors.EVENT_READ | selectors.EVENT_WRITE)
        selector.register(self.socket, self.events, self)
        counts[self.kind]["connections"] += 1

    def send(self):
        if not self.left:
            self.left = next(self.source)
        sent = self.socket.send(self.left)
        self.left = self.left[sent:]
        counts[self.kind]["sent"] += sent

    def send_slowly(self):
        counts["slow"]["sent"] += self.socket.send(REQUESTS[self.at:self.at + 1])
        self.at += 1

    def receive(self):
        data = self.socket.recv(65536)
        counts[self.kind]["received"] += len(data)
        if not data:
            raise ConnectionResetError

    def run(self, step):
        try:
            step()
        except BlockingIOError:
            pass
        except OSError:
            selector.unregister(self.socket)
            self.socket.close()
            self.open()


def on_signal(*_):
    global ended
    ended = True


signal.signal(signal.SIGTERM, on_signal)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
clients = [Client(kind, number) for kind in KINDS for number in range(CONNECTIONS[kind])]
slow = [client for client in clients if client.kind == "slow"]
print("started", flush=True)
turn = 0
next_turn = time.monotonic()
while not ended:
    for key, events in selector.select(max(0, next_turn - time.monotonic()) if slow else 0.1):
        if events & selectors.EVENT_READ:
            key.data.run(key.data.receive)
        elif events & selectors.EVENT_WRITE:
            key.data.run(key.data.send)
    while slow and time.monotonic() >= next_turn:
        slow[turn % len(slow)].run(slow[turn % len(slow)].send_slowly)
        turn += 1
        next_turn += SLOW_INTERVAL / len(slow)
print(json.dumps(counts))
