"""RESULTS.md."""
def write_results(scale, folder, target):
    return "later"
