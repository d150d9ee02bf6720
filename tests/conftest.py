pytest_plugins = ["controlplane.fixtures"]
