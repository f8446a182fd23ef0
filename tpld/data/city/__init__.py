"""The procedural city: drawn street scenes by day and by dusk, with labels. See draw."""
