"""Texts that several parts of the shop use."""

from flask_babel import lazy_gettext

BASKETS = lazy_gettext("Baskets")
