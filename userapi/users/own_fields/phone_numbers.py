"""Phone numbers in the form of E.164, by the library `phonenumbers`, which the extra `phone` installs.

It is imported when a field of this kind is declared: its data takes time and memory.
"""

from types import ModuleType

#: The maximum length of what is typed, with spaces and punctuation.
MAX_TYPED_LENGTH = 40

#: The maximum length in the form of E.164.
MAX_LENGTH = 16


def load_library() -> ModuleType:
    """The library.

    Raises:
        ImportError: it is not installed.
    """
    import phonenumbers

    return phonenumbers


def to_e164(text: str) -> str:
    """A phone number in the form of E.164, such as `+442079460018`.

    Args:
        text: with the country code, such as `+44 20 7946 0018`.

    Raises:
        ValueError: it is not a phone number.
    """
    library = load_library()
    try:
        number = library.parse(text, None)
    except library.NumberParseException as error:
        raise ValueError(text) from error
    if number.extension or not library.is_valid_number(number):
        raise ValueError(text)
    return str(library.format_number(number, library.PhoneNumberFormat.E164))
