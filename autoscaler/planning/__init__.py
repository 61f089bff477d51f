"""From demand to replicas: need, the sized plan and the margin that keeps the risk. Knows no guards, no I/O."""
