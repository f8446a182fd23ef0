"""What the workflow knows: paths, rows, rounds, rerun keys, resources, inputs of jobs."""
