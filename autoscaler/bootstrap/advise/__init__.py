"""`foresail advise`: what Foresail would have done for the workloads of an existing Prometheus; reads only."""
