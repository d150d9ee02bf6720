import json

from reconciler import __version__, resources
from reconciler.core.rules import llamacpp


def test_every_schema_is_found_and_is_json() -> None:
    assert all(json.loads(resources.schema_file(f"{name}.json").read_text()) for name in resources.SCHEMAS)


def test_the_flag_table_is_of_the_pinned_build() -> None:
    assert resources.flags().build == llamacpp.DEFAULT_BUILD


def test_the_version_names_package_and_tables() -> None:
    assert resources.version().startswith(f"{__version__}+")


def test_a_complete_installation_has_nothing_to_say() -> None:
    assert resources.notices() == ()
