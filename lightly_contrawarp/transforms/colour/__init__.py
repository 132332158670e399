"""The colours of a view: how they are to change is drawn first, then done."""
