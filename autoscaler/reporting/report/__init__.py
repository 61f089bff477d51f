"""A report on one workload: plain values in; an HTML page, a table or a dict out. Knows no simulator and no store."""
