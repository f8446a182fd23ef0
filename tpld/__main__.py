"""`python -m tpld` is the command `tpld`: torchrun starts it so."""

from tpld.cli import main

main()
