"""Which series and workloads behave unlike themselves. numpy only; causes, incidents and gates are others' work."""
