"""`python -m reconciler` is `llmkube`."""

from reconciler.cli.main import main

if __name__ == "__main__":
    main()
