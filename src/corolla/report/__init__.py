"""What a person reads about a run: curves, picture grids, `report.html` and the model card."""
