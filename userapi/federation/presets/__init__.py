"""What is particular about each provider that has a preset."""

from importlib import import_module

from userapi.core.provider_settings import Provider

from .standard import Standard


def load(provider: Provider) -> Standard:
    """How to talk to a provider. The module of a preset is imported when it is first used."""
    if not provider.preset:
        return Standard(provider)
    preset: Standard = import_module(f".{provider.preset}", __name__).Preset(provider)
    return preset
