"""Planning of the commands with which a controller draws a curve."""
