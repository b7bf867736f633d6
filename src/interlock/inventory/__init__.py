"""The asset graph: observations become assets, each once, with all its sites."""

from interlock.inventory.graph import Inventory as Inventory
