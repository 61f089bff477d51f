"""Colours told apart by colour-blind eyes too (after Okabe and Ito), and by lightness in a grey print."""

DEMAND = "#2b2b2b"
FORECAST = "#56b4e9"
RUNS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
"""Ours first, then the rivals."""
SHORT = "#c8102e"
OUTAGE = "#9a9a9a"
EVENTS = ("#f0e442", "#cc79a7", "#009e73", "#d55e00")
INK = "#1f2328"
FAINT = "#6e7781"
GRID = "#e5e8eb"


def run_colour(index: int) -> str:
    return RUNS[index % len(RUNS)]
