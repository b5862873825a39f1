"""What tests of the text front end need to be installed."""

import pytest

from runtime.text.languages import LANGUAGES


def need_all() -> None:
    """Skip the module that is being collected where packages of a language are missing."""
    missing = [one for language in LANGUAGES.values() for one in language.missing()]
    if missing:
        reason = f"not installed: {', '.join(missing)}; how text is read was not verified"
        pytest.skip(reason, allow_module_level=True)
