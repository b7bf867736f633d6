"""`python -m interlock` is the same program as `interlock`."""

from interlock.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
