"""The settings, for what is in a checkout but not in the package; `userapi/settings.py` has them all."""

from pathlib import Path

from userapi.settings import ConfigurationError as ConfigurationError
from userapi.settings import load as load
from userapi.settings import names as names

ROOT = Path(__file__).resolve().parent
