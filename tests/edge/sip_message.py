"""SIP messages as text: parse, build, answer a digest challenge. For stories (RFC 3261, RFC 8760)."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

CRLF = "\r\n"
SHORT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
}
Address = tuple[str, int]


@dataclass
class Message:
    """A request or a reply. `headers` keep their order and their repetition; names as they were written."""

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    source: Address = ("", 0)

    @property
    def status(self) -> int:
        """The code of a reply; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def reason(self) -> str:
        """The phrase of a reply."""
        return self.first.split(" ", 2)[2]

    @property
    def method(self) -> str:
        """Of a request its own, of a reply that of CSeq."""
        return self.header("CSeq").split()[1] if self.status else self.first.split()[0]

    @property
    def uri(self) -> str:
        """The request-URI."""
        return self.first.split()[1]

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if _long(key) == name.lower()]

    def header(self, name: str) -> str:
        """The first value of a header; empty when there is none."""
        return next(iter(self.all(name)), "")

    @property
    def branch(self) -> str:
        """Of the topmost Via: names the transaction."""
        return parameter(self.header("Via"), "branch")

    def encoded(self) -> bytes:
        """As it travels; Content-Length is ours to count."""
        body = self.body.encode()
        lines = [self.first, *(f"{k}: {v}" for k, v in self.headers), f"Content-Length: {len(body)}", "", ""]
        return CRLF.join(lines).encode() + body


def parse(data: bytes, source: Address) -> Message | None:
    """A message from the wire; None for a keepalive."""
    head, _, body = data.decode("utf-8", "replace").partition(CRLF * 2)
    first, *lines = head.split(CRLF)
    if not first.strip():
        return None
    pairs = [line.partition(":")[::2] for line in lines if ":" in line]
    headers = [(k.strip(), v.strip()) for k, v in pairs if _long(k.strip()) != "content-length"]
    return Message(first, _split_lists(headers), body, source)


def _split_lists(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in headers:
        listed = _long(name) in ("via", "route", "record-route")
        parts = re.split(r",\s*(?=<|SIP/)", value) if listed else [value]
        found += [(name, part) for part in parts]
    return found


def _long(name: str) -> str:
    return SHORT.get(name.lower(), name.lower())


def parameter(value: str, name: str) -> str:
    """A `;name=value` parameter of a header; empty when there is none."""
    found = re.search(rf";\s*{name}=([^;,>\s]+)", value)
    return found.group(1) if found else ""


def address(value: str) -> str:
    """The URI of a From, To, Contact or Route."""
    found = re.search(r"<([^>]+)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


def user(value: str) -> str:
    """The user part of such a URI."""
    return re.sub(r"^sips?:", "", address(value)).partition("@")[0]


def host(uri: str) -> Address:
    """Where a SIP URI points to, over UDP."""
    found = re.search(r"sips?:(?:[^@>]*@)?([\d.]+)(?::(\d+))?", uri)
    assert found, f"no numeric address in {uri}"
    return found.group(1), int(found.group(2) or 5060)


def token() -> str:
    """A new tag, Call-ID or branch part."""
    return secrets.token_hex(8)


def sdp(ip: str, port: int, name: str = "") -> str:
    """An offer or answer of one A-law stream. `name`: stands wherever an SDP can have one (RFC 8866 5)."""
    lines = ["v=0", f"o={name or '-'} 1 1 IN IP4 {ip}", f"s={name or '-'}"]
    if name:
        lines += [f"i=Talk of {name}", f"u=http://{name}.example", f"e={name}@example.com", f"p={name}"]
    lines += [f"c=IN IP4 {ip}", "t=0 0", f"m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000"]
    if name:
        lines += [f"a=ssrc:1 cname:{name}", f"a=tool:{name}"]
    return CRLF.join([*lines, ""])


def media_address(body: str) -> Address:
    """Where an SDP wants its audio."""
    ip, port = re.search(r"^c=IN IP4 (\S+)", body, re.M), re.search(r"^m=audio (\d+)", body, re.M)
    assert ip, body
    assert port, body
    return ip.group(1), int(port.group(1))


def credentials(
    challenge: str,
    method: str,
    uri: str,
    username: str,
    password: str,
    count: int = 1,
    cnonce: str | None = None,
) -> str:
    """The value of Authorization or Proxy-Authorization; `count` counts uses of the same nonce (RFC 7616)."""
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    algorithm = said.get("algorithm", "MD5")
    hashed = hashlib.sha256 if algorithm.upper() == "SHA-256" else hashlib.md5

    def digest(*words: str) -> str:
        return hashed(":".join(words).encode()).hexdigest()

    ha1, ha2 = digest(username, said["realm"], password), digest(method, uri)
    fields = {"username": username, "realm": said["realm"], "nonce": said["nonce"], "uri": uri}
    bare = {"algorithm": algorithm}
    if "qop" in said:
        cnonce, nc = cnonce or token(), f"{count:08x}"
        fields |= {"cnonce": cnonce, "response": digest(ha1, said["nonce"], nc, cnonce, "auth", ha2)}
        bare |= {"qop": "auth", "nc": nc}
    else:
        fields["response"] = digest(ha1, said["nonce"], ha2)
    if "opaque" in said:
        fields["opaque"] = said["opaque"]
    return "Digest " + ", ".join(
        [*(f'{k}="{v}"' for k, v in fields.items()), *(f"{k}={v}" for k, v in bare.items())]
    )
