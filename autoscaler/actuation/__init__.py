"""From decisions to the writes that are wanted. Knows no API; the cluster's port carries them out."""
