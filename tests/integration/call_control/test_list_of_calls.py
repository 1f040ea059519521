"""Paging through live calls that stand in many partitions."""

from __future__ import annotations

from call_control.app.list_calls import Place, list_calls

from tests.support.calls import new_call
from tests.support.money_world import BOTH, World


@BOTH
async def test_a_list_over_many_partitions_is_in_order_and_whole(world: World) -> None:
    """Two hundred calls in five partitions, forty in each millisecond, in pages of seven."""
    listed_s: dict[str, int] = {}
    for number in range(200):
        second = number // 40
        partition, client = (0, 5, 17, 30, 63)[number % 5], f"c{number % 3}"
        new = new_call(partition, world.at(second), client_id=client, tariff=None)
        assert (await world.calls.admit(new, world.now_ms)).status == "ADMITTED"
        if number % 3 == 1:
            listed_s[new.facts.call_id] = second
    seen: list[str] = []
    after: Place | None = None
    while True:
        page = await list_calls(world.calls, range(64), lambda call: call.facts.client_id == "c1", 7, after)
        seen += [call.call_id for call in page.calls]
        after = page.following
        if after is None:
            break
    assert (len(seen), set(seen)) == (len(listed_s), set(listed_s))
    seconds = [listed_s[call_id] for call_id in seen]
    assert seconds == sorted(seconds, reverse=True)
