#!/usr/bin/env python3
"""A streaming client for what crictl does not do: it leaves without a word, does not read,
or speaks the older protocols.

  stream_client.py abort < URLS     connects to each, goes a different way with each, leaves
  stream_client.py stall URL        asks for output and does not read it, until killed
  stream_client.py websocket PROTOCOL URL < INPUT
  stream_client.py spdy PROTOCOL URL STREAM... < INPUT
      sends the input and prints, as JSON, the protocol that was agreed on and what came on
      each channel or stream until the server closed

It runs on the node's network. `stall` prints "stalled" when the server is ready.
"""

import base64
import json
import os
import socket
import struct
import sys
import time
import urllib.parse
import zlib

UPGRADE = {
    "websocket": "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n",
    "spdy": "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n",
}


def connect(url, buffer=None):
    parts = urllib.parse.urlsplit(url)
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(30)
    client.connect((parts.hostname, parts.port))
    return client, parts.path


def upgrade(client, path, kind):
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{UPGRADE[kind]}\r\n".encode())
    text = b""
    while b"\r\n\r\n" not in text:
        more = client.recv(4096)
        if not more:
            raise EOFError(text.decode(errors="replace"))
        text += more
    if b" 101 " not in text:
        raise ValueError(text.decode(errors="replace"))
    return text.split(b"\r\n\r\n", 1)[1]


def ready(client, text):
    """The first message: an empty one on stdout's channel."""
    while len(text) < 3:
        text += client.recv(4096)


def abort(urls):
    for i, url in enumerate(urls):
        client, path = connect(url)
        way = i % 10
        if way == 0:  # A session that has begun, or is just about to.
            ready(client, upgrade(client, path, "websocket"))
            if i % 20 == 0:
                time.sleep(0.05)
        elif way in (1, 2, 3):
            upgrade(client, path, "spdy")
            if way == 1:
                client.sendall(b"\x80\x03\x00\x01\x00")  # Half a frame.
        elif way in (4, 5):
            client.sendall(f"GET {path} HTTP/1.1\r\nHost".encode())
        elif way == 6:
            upgrade(client, path, "spdy")
            client.sendall(b"this is not SPDY at all, is it?")
        if way % 2:  # With a reset rather than an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def stall(url):
    client, path = connect(url, buffer=4096)
    ready(client, upgrade(client, path, "websocket"))
    print("stalled", flush=True)
    while True:
        time.sleep(60)


def handshake(client, path, lines):
    """The server's header fields, in small letters, and what it sent after them."""
    request = [f"GET {path} HTTP/1.1", "Host: x", "Connection: Upgrade", *lines, "", ""]
    client.sendall("\r\n".join(request).encode())
    text = b""
    while b"\r\n\r\n" not in text:
        more = client.recv(4096)
        if not more:
            raise EOFError(text.decode(errors="replace"))
        text += more
    head, rest = text.split(b"\r\n\r\n", 1)
    status, *fields = head.decode().split("\r\n")
    if " 101 " not in status:
        raise ValueError(text.decode(errors="replace"))
    return {k.strip().lower(): v.strip() for k, v in (f.split(":", 1) for f in fields)}, rest


class Reader:
    def __init__(self, client, text):
        self.client, self.text = client, text

    def take(self, count):
        while len(self.text) < count:
            more = self.client.recv(65536)
            if not more:
                raise EOFError
            self.text += more
        taken, self.text = self.text[:count], self.text[count:]
        return taken


def websocket_frame(opcode, payload):
    mask = os.urandom(4)
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    return bytes([0x80 | opcode]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def websocket(protocol, url, data):
    client, path = connect(url)
    lines = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    fields, rest = handshake(client, path, lines)
    text_form = "base64" in protocol
    if text_form:
        client.sendall(websocket_frame(1, b"0" + base64.b64encode(data)))
    else:
        client.sendall(websocket_frame(2, b"\0" + data))
    reader, channels, closed = Reader(client, rest), {}, False
    try:
        while True:
            first, second = reader.take(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(reader.take(2 if size == 126 else 8), "big")
            payload = reader.take(size)
            if first & 0x0F == 8:
                closed = True
                break
            if first & 0x0F == 9:
                client.sendall(websocket_frame(10, payload))
            elif payload:
                channel = payload[0] - ord("0") if text_form else payload[0]
                content = base64.b64decode(payload[1:]) if text_form else payload[1:]
                channels[channel] = channels.get(channel, b"") + content
    except (EOFError, TimeoutError):
        pass
    return fields.get("sec-websocket-protocol", ""), channels, closed


class Spdy:
    """SPDY/3.1 as Kubernetes' clients use it. Header blocks are compressed without the
    dictionary, which a server must accept; the server's own are not read."""

    def __init__(self, client):
        self.client, self.zlib = client, zlib.compressobj()

    def open(self, stream, kind):
        pairs = ((b"streamtype", kind.encode()),)
        block = struct.pack("!I", len(pairs))
        for name, value in pairs:
            block += struct.pack("!I", len(name)) + name + struct.pack("!I", len(value)) + value
        block = self.zlib.compress(block) + self.zlib.flush(zlib.Z_SYNC_FLUSH)
        payload = struct.pack("!IIH", stream, 0, 0) + block
        self.client.sendall(struct.pack("!HHI", 0x8003, 1, len(payload)) + payload)

    def send(self, stream, data, last):
        self.client.sendall(struct.pack("!II", stream, (last << 24) | len(data)) + data)


def spdy(protocol, url, kinds, data):
    client, path = connect(url)
    fields, rest = handshake(client, path, ["Upgrade: SPDY/3.1", f"X-Stream-Protocol-Version: {protocol}"])
    connection, streams = Spdy(client), {}
    for i, kind in enumerate(kinds):
        streams[2 * i + 1] = kind
        connection.open(2 * i + 1, kind)
    for number, kind in streams.items():
        if kind == "stdin":
            connection.send(number, data, last=1)
    reader, channels, closed = Reader(client, rest), {}, set()
    try:
        while closed < set(streams) - {n for n, kind in streams.items() if kind in ("stdin", "resize")}:
            head, tail = struct.unpack("!II", reader.take(8))
            payload = reader.take(tail & 0xFFFFFF)
            if head >> 31:
                continue
            channels[streams[head]] = channels.get(streams[head], b"") + payload
            if tail >> 24 & 1:
                closed.add(head)
    except (EOFError, TimeoutError):
        pass
    return fields.get("x-stream-protocol-version", ""), channels, bool(closed)


def report(protocol, channels, closed):
    content = {str(k): v.decode(errors="replace") for k, v in channels.items()}
    print(json.dumps({"protocol": protocol, "channels": content, "closed": closed}))


if __name__ == "__main__":
    if sys.argv[1] == "abort":
        abort(sys.stdin.read().split())
    elif sys.argv[1] == "websocket":
        report(*websocket(sys.argv[2], sys.argv[3], sys.stdin.buffer.read()))
    elif sys.argv[1] == "spdy":
        report(*spdy(sys.argv[2], sys.argv[3], sys.argv[4:], sys.stdin.buffer.read()))
    else:
        stall(sys.argv[2])
