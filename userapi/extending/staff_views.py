"""Pages of extensions on the staff site."""

from typing import Any, ClassVar

from userapi.admin import views

#: Gives a method of a staff view a URL, and declares which permission it needs.
page = views.staff_page

ANY_STAFF = views.ANY_STAFF
SUPERUSER = views.SUPERUSER


class StaffView(views.StaffView):
    """A part of the staff site, at `/admin/EXTENSION/PATH/`. The method of its first page is called `show_list`.

    With a `kind`, as in `kind = "basket"`, only staff who may view such records see it in the menu.

    Attributes:
        path: the last part of its URL.
        menu_title: what the menu says.
        menu_icon: one of `styles/icons.txt`.
    """

    path: ClassVar[str]
    menu_title: ClassVar[Any]
    menu_icon: ClassVar[str] = "list"
