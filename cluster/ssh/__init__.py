"""The ``ssh`` backend: nodes are hosts that an inventory file names."""

from cluster.ssh.inventory import Inventory, read_inventory
from cluster.ssh.remains import down_all
from cluster.ssh.site import ssh_cluster

__all__ = ["Inventory", "down_all", "read_inventory", "ssh_cluster"]
