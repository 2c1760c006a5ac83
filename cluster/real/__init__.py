"""What all backends on real kernels share: an agent on each node, and the fault verbs made of it."""
