"""Whether answers are the same."""

# Digits in which floats agree: sums in another order differ in the last few of 16.
DIGITS = 10


def normal(value):
    """A value as all three would say it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, (list, tuple)):
        return [normal(item) for item in value]
    return value


def differences(answers):
    """What to print where answers, by system, are not all equal; nothing where they are."""
    rows = {system: [normal(row) for row in answer["rows"]] for system, answer in answers.items()}
    (first, expected), *others = rows.items()
    found = []
    for system, got in others:
        if got != expected:
            found.append(_told(first, expected, system, got))
    return "\n".join(found)


def _told(first, expected, system, got):
    lines = [f"{first} says {len(expected)} rows, {system} {len(got)}"]
    places = [place for place in range(max(len(expected), len(got))) if expected[place:place + 1] != got[place:place + 1]]
    for place in places[:5]:
        lines.append(f"  row {place + 1}: {first} {expected[place:place + 1]}")
        lines.append(f"  row {place + 1}: {system} {got[place:place + 1]}")
    if len(places) > 5:
        lines.append(f"  and {len(places) - 5} more rows")
    return "\n".join(lines)
