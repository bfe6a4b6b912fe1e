"""What a recipe may say: YAML as validated models, with the place of everything, not yet bound to a cell."""
