"""What a person reads about a run: curves, image grids, `report.html` and the model card."""
