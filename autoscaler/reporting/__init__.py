"""Pictures and reports made from what a run left behind; decides nothing."""
