"""Rules between the fields of a row, and texts as values: pure, told as refusals (field, code, sentence).

What a rule needs of other rows is given to it; `api/` fetches that and reports the refusals.
"""
