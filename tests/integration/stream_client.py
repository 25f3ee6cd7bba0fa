#!/usr/bin/env python3
"""A streaming client that behaves badly: it leaves without a word, or does not read.

  stream_client.py abort < URLS     connects to each, goes a different way with each, leaves
  stream_client.py stall URL        asks for output and does not read it, until killed

It runs on the node's network. `stall` prints "stalled" when the server is ready.
"""

import socket
import struct
import sys
import time
import urllib.parse

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


if __name__ == "__main__":
    if sys.argv[1] == "abort":
        abort(sys.stdin.read().split())
    else:
        stall(sys.argv[2])
