"""The same demand under the HPA alone and under the HPA with our floor, on a real control plane and in the twin."""
