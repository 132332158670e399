"""How fast it is, against what libraries offer and against what the hardware allows."""
