"""The settings, for programs that run in a checkout; they are defined in `userapi/settings.py`."""

from pathlib import Path

from userapi.settings import ConfigurationError as ConfigurationError
from userapi.settings import list_setting_names as list_setting_names
from userapi.settings import load as load

ROOT = Path(__file__).resolve().parent
