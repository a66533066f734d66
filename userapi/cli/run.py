"""`make run`: loads the service and starts it."""

import gc


def main() -> None:
    """Load the service and start it.

    Almost nothing that is loaded ever becomes garbage, so the garbage collector would find nothing in it: that took a
    fifth of the processor time of a start. `serve` in `starting.py` lets it run again.
    """
    gc.disable()
    from .starting import main as start  # not before

    start()


if __name__ == "__main__":
    main()
