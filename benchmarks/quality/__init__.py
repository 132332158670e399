"""Does the method do what it claims? Baselines, candidates, controls and ablation."""
