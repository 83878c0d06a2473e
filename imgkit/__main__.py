"""`python -m imgkit` is the command `imgkit`, of the Python that runs it."""

from imgkit.cli.main import main

if __name__ == "__main__":
    main(prog_name="imgkit")
