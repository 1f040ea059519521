"""Messages that a proxy must survive: after RFC 4475, and what scanners send."""

from __future__ import annotations

CRLF = "\r\n"


def built(first: str, *lines: str, body: str = "") -> bytes:
    """A message with these header lines."""
    return CRLF.join([first, *lines, "", body]).encode("utf-8", "surrogateescape")


def messages(edge: str, me: str, domain: str, device: str) -> dict[str, bytes]:
    """By the section of RFC 4475 they come from, or what is wrong with them."""
    via = f"Via: SIP/2.0/UDP {me};rport;branch=z9hG4bK-torture"
    who = f"From: <sip:{device}@{domain}>;tag=t1"
    to = f"To: <sip:0034600123123@{domain}>"
    uri = f"sip:0034600123123@{domain}"
    common = (
        who,
        to,
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        f"Contact: <sip:{device}@{me}>",
        "Content-Length: 0",
    )

    def invite(call_id: str, *more: str, first: str = f"INVITE {uri} SIP/2.0") -> bytes:
        return built(first, f"{via}{call_id}", f"Call-ID: {call_id}", *common, *more)

    found = {
        "3.1.1.2 wide range of characters": built(
            "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
            f"@{domain} SIP/2.0",
            f"{via}a",
            "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            who,
            to,
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
            "Max-Forwards: 255",
            "Content-Length: 0",
        ),
        "3.1.1.3 escapes": invite("esc01", first=f"INVITE sip:sips%3Auser%40example.com@{domain} SIP/2.0"),
        "3.1.1.4 escaped nulls": invite("escnull", first=f"INVITE sip:null-%00-null@{domain} SIP/2.0"),
        "3.1.1.6 no LWS before >": invite("lwsdisp", f"From: caller<sip:{device}@{domain}>;tag=323"),
        "3.1.1.7 long values": invite("longreq", "X-Long: " + "long" * 2000, f"Unknown-{'long' * 20}: 1"),
        "3.1.1.13 bad protocol version": built(f"INVITE {uri} SIP/7.0", f"{via}v", "Call-ID: v7", *common),
        "3.1.2.2 content length larger than message": invite("clerr")[:-4].replace(
            b"Length: 0", b"Length: 9999"
        ),
        "3.1.2.3 negative content length": invite("ncl").replace(b"Length: 0", b"Length: -999"),
        "3.1.2.4 scalar overflow": invite("scalar").replace(b"CSeq: 1 ", b"CSeq: 36893488147419103232 "),
        "3.1.2.5 unterminated quote": invite("quotbal", f'From: "Joe <sip:{device}@{domain}>;tag=1'),
        "3.1.2.7 angle brackets in the request URI": invite("ltgt", first=f"INVITE <{uri}> SIP/2.0"),
        "3.1.2.8 spaces in the request URI": invite("lwsruri", first=f"INVITE {uri}; lr SIP/2.0"),
        "3.1.2.10 trailing space in the start line": invite("trws", first=f"INVITE {uri} SIP/2.0  "),
        "3.1.2.12 no date": invite("baddate", "Date: Fri, 01 Jan 2010 16:00:00 EST"),
        "3.1.2.16 unknown scheme": invite(
            "unksc", first="INVITE nobodyKnowsThisScheme:totallyopaque SIP/2.0"
        ),
        "3.1.2.19 method mismatch": invite("mismatch").replace(b"CSeq: 1 INVITE", b"CSeq: 1 REGISTER"),
        "3.3.1 missing required headers": built(
            f"INVITE {uri} SIP/2.0", "CSeq: 1 INVITE", "Content-Length: 0"
        ),
        "3.3.8 many of what must be one": invite(
            "multi01", "CSeq: 5 INVITE", "Call-ID: other", "Max-Forwards: 5"
        ),
        "3.3.15 max-forwards of zero": invite("zeromf").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"),
        "no header at all": b"INVITE",
        "not SIP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "binary": bytes(range(256)) * 4,
        "nothing": b"",
        "only line ends": b"\r\n\r\n\r\n",
        "not UTF-8": invite("latin").replace(b"tag=t1", b"tag=\xff\xfe\x80"),
        "20 Via headers": invite(
            "vias", *[f"Via: SIP/2.0/UDP 192.0.2.{n};branch=z9hG4bKx{n}" for n in range(20)]
        ),
        "60 Via headers": invite(
            "vias2", *[f"Via: SIP/2.0/UDP 192.0.2.{n};branch=z9hG4bKy{n}" for n in range(60)]
        ),
    }
    for name in (
        "From",
        "To",
        "Contact",
        "User-Agent",
        "P-Asserted-Identity",
        "Diversion",
        "Privacy",
        "Supported",
    ):
        found[f"{name} of 5,000 characters"] = invite(f"long-{name}", f"{name}: <sip:{'9' * 5000}@{domain}>")
    return found  # fmt: skip


METACHARACTERS = (
    '"',
    "\\",
    "\\u0000",
    "{}",
    '":{"',
    "$ru",
    "$(sht(ha1=>x))",
    "%00",
    "'; drop",
    "\u2028",
    "é",
    "<null>",
)
