"""Measures Carillon, one process per service, against the simulator. `make bench`."""
