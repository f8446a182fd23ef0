"""Studies: what changes when a key changes, row by row, and whether voting earns its place."""
