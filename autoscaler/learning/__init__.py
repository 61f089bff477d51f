"""Backtests and training over recorded demand. Knows series and forecasters; must not know clusters or guards."""
