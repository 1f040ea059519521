"""Audio of a call: 20 ms packets of A-law both ways, and what a recording (pcap of Ethernet) holds."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path

from tests.edge.sip_message import Address

PACKET_S = 0.02
PAYLOAD = bytes(160)


class Audio:
    """A UDP socket for one call's media; `remote` is known after the SDP answer."""

    def __init__(self, ip: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self.remote: Address | None = None
        self.ssrc = self.port

    def close(self) -> None:
        """Silence."""
        self._socket.close()

    def send(self, seconds: float) -> threading.Thread:
        """Speak for so long; the thread that does it."""
        speaking = threading.Thread(target=self._send, args=(seconds,), daemon=True)
        speaking.start()
        return speaking

    def _send(self, seconds: float) -> None:
        assert self.remote, "no media address yet"
        began = time.monotonic()
        for n in range(round(seconds / PACKET_S)):
            head = struct.pack("!BBHII", 0x80, 8, n, n * 160, self.ssrc)
            try:
                self._socket.sendto(head + PAYLOAD, self.remote)
            except OSError:  # closed: its phone is gone
                return
            time.sleep(max(0.0, began + (n + 1) * PACKET_S - time.monotonic()))

    def received(self) -> Counter[int]:
        """Packets that arrived since the last look, by SSRC."""
        found: Counter[int] = Counter()
        while True:
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return found
            if len(data) >= 12 and data[1] & 0x7F == 8:
                found[struct.unpack("!I", data[8:12])[0]] += 1


def recorded_packets(pcap: Path) -> Counter[int]:
    """RTP packets in a recording, by SSRC: one SSRC is one direction."""
    data, found, at = pcap.read_bytes(), Counter[int](), 24
    while at + 16 <= len(data):
        length = struct.unpack("<I", data[at + 8 : at + 12])[0]
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        ip = frame[14:]
        udp = ip[(ip[0] & 0x0F) * 4 :]
        rtp = udp[8:]
        if len(rtp) >= 12 and rtp[0] >> 6 == 2 and rtp[1] & 0x7F == 8:
            found[struct.unpack("!I", rtp[8:12])[0]] += 1
    return found
