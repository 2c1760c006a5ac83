"""Producers and consumers of different makers behind one seam, and what the queue workloads share."""
