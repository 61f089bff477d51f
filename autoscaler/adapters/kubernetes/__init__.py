"""The only place that knows how Kubernetes is spoken to: reading what runs, and every write that Foresail makes."""
