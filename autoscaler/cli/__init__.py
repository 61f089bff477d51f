"""The terminal face: reads, shows and asks; decides nothing."""
