"""Telling on-call: destinations of alerts, and the threads that bring alerts there."""
