"""Networks, each given by its equations."""
