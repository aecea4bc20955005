"""`python -m anomalynet`."""

from anomalynet.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
