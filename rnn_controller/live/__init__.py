"""The live page: the arm and a trained network in a web browser."""
