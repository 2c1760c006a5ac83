"""The ``local`` backend: nodes are processes of this machine, in private namespaces."""

from cluster.local.namespace import enter
from cluster.local.site import local_cluster

__all__ = ["enter", "local_cluster"]
