"""Training: one loop for every network, on Lightning Fabric."""
