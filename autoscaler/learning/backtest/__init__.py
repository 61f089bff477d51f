"""Rolling-origin backtests: what each model would have said of the coming peak, and what came. No look-ahead."""
