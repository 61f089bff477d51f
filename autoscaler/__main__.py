"""`python -m autoscaler` is the `foresail` command."""

from autoscaler.cli.app import main

main()
