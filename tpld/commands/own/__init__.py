"""What `tpld init` finds in folders of one's own, asks about, and writes."""
