"""Reconcile llama.cpp model services on Kubernetes from a git repository of llm.yaml files."""

__version__ = "0.4.0"
