"""Rating: what a call costs. Used by call-control to hold money and by billing to charge it.

Owns: the shape of a tariff, the price of a duration, the choice of a price for a number, the deck file.
Does not own: who may call, balances, ledgers, where decks and plans are stored. Only `deck_file` does I/O.

Invariants (domain.md section 7)
* A price is exact: integers all the way, rounded once per call, at the plan's decimals.
* A price never falls when a call gets longer, so a hold for n seconds pays for every shorter call.
* A tariff is pinned to its call; pricing needs neither plan nor deck again.

Modules: `tariff` the values, `checks` what is refused, `pinned` their text form, `timing` which window
is in force, `price` the money, `lookup` the choice, `deck_file` the mapped file, `errors` the refusals.
"""
