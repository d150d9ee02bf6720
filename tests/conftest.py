import pytest

pytest.register_assert_rewrite("targets.contract")
pytest_plugins = ["controlplane.fixtures"]
