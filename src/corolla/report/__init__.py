"""Reports about a run for people: curves, image grids, `report.html` and the model card."""
