"""Where and how things run: device, processes, their start and end, threads, progress."""
