"""In-memory twins of the ports and the virtual clock: they serve the demo, the tests and simulation alike."""
