"""Does the ledger hold? The full check that is too dear for every insert (`billing audit`)."""

from __future__ import annotations

from dataclasses import dataclass

from billing.app.connection import Connection

SHOWN = 100

# Each query returns one row per violation: what it is about, and what is wrong with it.
CHECKS = {
    "balance_is_sum": """
        select a.client_id::text as subject,
               format('balance %s, postings sum to %s', a.balance, coalesce(p.total, 0)) as detail
          from accounts a
          left join (select client_id, sum(amount) as total from postings group by 1) p using (client_id)
         where a.balance <> coalesce(p.total, 0)""",
    "sequence_has_no_gap": """
        select a.client_id::text as subject,
               format('last sequence %s, %s postings, highest %s', a.last_sequence, coalesce(p.n, 0), p.top)
          from accounts a
          left join (select client_id, count(*) as n, max(sequence) as top from postings group by 1) p
         using (client_id)
         where a.last_sequence <> coalesce(p.n, 0) or a.last_sequence <> coalesce(p.top, 0)""",
    "each_posting_follows": """
        select client_id::text as subject, format('posting %s does not follow its predecessor', sequence)
          from (select client_id, sequence, amount, balance_after,
                       lag(balance_after, 1, 0.0) over w as before,
                       lag(sequence, 1, 0::bigint) over w as prior
                  from postings window w as (partition by client_id order by sequence)) p
         where balance_after <> before + amount or sequence <> prior + 1""",
    "one_charge_per_call": """
        select call_id as subject, format('%s charges', count(*)) from postings
         where kind = 'charge' and call_id is not null group by 1 having count(*) > 1""",
    "records_are_charged": """
        select r.id as subject, format('price %s, posted %s', r.price, coalesce(-p.total, 0))
          from call_records r
          left join (select call_id, sum(amount) as total from postings
                      where call_id is not null group by 1) p on p.call_id = r.id
         where coalesce(r.price, 0) <> coalesce(-p.total, 0)""",
    "postings_have_records": """
        select p.call_id as subject,
               format('posting %s of client %s has no call record', p.sequence, p.client_id)
          from postings p
         where p.call_id is not null and not exists (select from call_records r where r.id = p.call_id)""",
    "days_sum_to_price": """
        select r.id as subject, format('price %s, days %s', r.price, r.spend_by_day)
          from call_records r
         where r.spend_by_day <> '{}'::jsonb and r.price * 1000000 <>
               (select sum(value::numeric) from jsonb_each_text(r.spend_by_day))""",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: which check, about which client or call, and what is wrong."""

    check: str
    subject: str
    detail: str


async def audit(conn: Connection, shown: int = SHOWN) -> list[Finding]:
    """All violations, at most `shown` a check; empty when the ledger holds.

    One snapshot for all checks: call it in a repeatable-read transaction in system scope, else a call that
    is being recorded looks like a difference.
    """
    findings = []
    for check, query in CHECKS.items():
        rows = await conn.fetch(f"{query} order by 1 limit {shown}", timeout=3600)
        findings += [Finding(check, row[0], row[1]) for row in rows]
    return findings
