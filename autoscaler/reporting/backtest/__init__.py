"""What a backtest found, for people: one HTML file, and plain values. Knows no model and computes no figure."""
