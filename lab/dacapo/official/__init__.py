"""The second engine: AWS's own local runner, as a reference for the simulated service."""
